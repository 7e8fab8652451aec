// Node's usual proxy library, with connections that are kept. Arguments: port, upstream.
const http = require('node:http');
const httpProxy = require('http-proxy');

const [port, target] = process.argv.slice(2);
const proxy = httpProxy.createProxyServer({
  target,
  agent: new http.Agent({ keepAlive: true }),
  headers: { authorization: 'Bearer a-fixed-token' },
});
proxy.on('error', (error, request, response) => {
  response.writeHead(502);
  response.end(error.message);
});
http.createServer((request, response) => proxy.web(request, response)).listen(port, '127.0.0.1');
