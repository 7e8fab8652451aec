// From the tree that the gateway sends to the document: by elements and texts, never by a parser.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "path", "rect"]);
const TAGS = new Set([
  "a", "button", "dd", "details", "div", "dl", "dt", "h1", "h2", "h3", "li", "ol", "p", "section",
  "small", "span", "strong", "summary", "table", "tbody", "td", "th", "thead", "time", "tr", "ul",
  ...DRAWN,
]);
const ATTRIBUTES = /^(?:aria-[a-z]+|data-[a-z]+|class|d|datetime|height|id|preserveAspectRatio|role|scope|tabindex|type|viewBox|width|x)$/;

// Make a node of `text` or `[tag, attributes, children]`.
export function build(one) {
  if (typeof one === "string") return document.createTextNode(one);
  const [tag, attributes, children] = one;
  if (!TAGS.has(tag)) throw new Error(`no such element here: ${tag}`);
  const made = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (!ATTRIBUTES.test(name)) throw new Error(`no such attribute here: ${name}`);
    made.setAttribute(name, value);
  }
  made.append(...children.map(build));
  return made;
}

// Make `parent` hold what `wanted` describes. What is alike stays: focus, selection and what is
// unfolded are the reader's.
export function fit(parent, wanted) {
  wanted.forEach((one, at) => {
    const there = parent.childNodes[at];
    if (there === undefined) parent.append(build(one));
    else if (!alike(there, one)) there.replaceWith(build(one));
    else if (typeof one === "string") {
      if (there.data !== one) there.data = one;
    } else {
      adjust(there, one[1]);
      fit(there, one[2]);
    }
  });
  while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
}

function alike(node, one) {
  if (typeof one === "string") return node.nodeType === Node.TEXT_NODE;
  return node.nodeType === Node.ELEMENT_NODE && node.localName === one[0];
}

function adjust(element, attributes) {
  for (const { name } of [...element.attributes]) {
    const own = name === "open" && element.localName === "details";
    if (!(name in attributes) && !own) element.removeAttribute(name);
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) === value) continue;
    if (!ATTRIBUTES.test(name)) throw new Error(`no such attribute here: ${name}`);
    element.setAttribute(name, value);
  }
}
