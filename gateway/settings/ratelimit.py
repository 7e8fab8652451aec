"""What is done about Zoom's rate limits, for all accounts and for one."""

from typing import Annotated

from gateway.models import BeforeValidator, Field
from gateway.settings import kinds
from gateway.settings.kinds import Kind
from gateway.settings.pace import OFF, Pace, PaceWait
from gateway.settings.section import Section

Tries = Annotated[
    int,
    BeforeValidator(kinds.no_bool),
    Field(ge=0, le=10),
    Kind("a whole number from 0 to 10"),
]


class RateLimitSettings(Section):
    """What is done about Zoom's rate limits. See docs/rate-limits.md."""

    retry: Tries = Field(
        default=0,
        description="How often a call is sent again that Zoom refused with a 429 for the limit of"
        " this second (or minute, where Zoom names a moment that is near): after its time, with"
        " jitter, for the last time 10 s after the call's begin. 0: such answers go to the caller"
        " at once. Those about a day, a user or calls at once always do.",
    )
    pace: Pace = Field(
        default=OFF,
        description="Keep an account's calls just under Zoom's limits, all replicas together:"
        " those of its plan (`free`, `pro`, `business`), or calls a second of `light`, `medium` and"
        " `heavy`, a minute of `resource-intensive`, and heavy and resource-intensive ones a `day`"
        " (what is left out is not paced; `phone.light`, `contact-center.heavy` and so on are"
        " counted apart if they are named). Calls wait for their turn, by caller in turn. `off`:"
        " they go as they come. See docs/pacing.md.",
    )
    pace_wait: PaceWait = Field(
        default=5.0,
        description="Seconds that a call waits for its turn at most; then 429 `paced`, with"
        " `Retry-After`. With `token.wait_timeout` in mind: clients give up after 15.",
    )


class AccountRateLimitSettings(Section):
    """What is done about Zoom's rate limits for this account alone. Unset: as `ratelimit` says."""

    retry: Tries | None = Field(default=None, description="As `ratelimit.retry`.")
    pace: Pace | None = Field(default=None, description="As `ratelimit.pace`.")
    pace_wait: PaceWait | None = Field(
        default=None, description="Seconds, as `ratelimit.pace_wait`."
    )
