"""What a call is aimed at, in terms that stay few: never a raw path."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path template.

    `route` is the template of the operation table (`/v2/users/{userId}`), the label of
    metrics and logs, or `other`. `key` names the endpoint in the token manager's memory:
    method and template, or, for a path in no template, method and a hash of the path.
    """

    method: str
    route: str
    key: str
    category: str | None = None
    """Of Zoom's rate limits: `light`, `medium`, `heavy` or `resource-intensive`; None: the table
    does not say."""
    product: str = ""
    """Phone and Contact Center (`phone`, `contact-center`) have limits of their own; empty for a
    path in no template."""
