"""What was proven already: a token's death brings as many proofs as calls were under way."""

from gateway.core.account import Refusals
from gateway.core.secret import Secret


class Proofs:
    """That calls refused with a token were accepted with the newest one: noted once each.

    A later refusal of the same token proves nothing that an earlier one did not.
    """

    def __init__(self) -> None:
        self._of: tuple[str, Secret] | None = None
        """The document's epoch, and the token that was accepted."""
        self._refused: dict[int, float] = {}
        """The generation that was refused, and when first."""

    def news(self, epoch: str, token: Secret, refused: Refusals) -> Refusals:
        """Give those of `refused` that prove something new now that `token` was accepted.

        They are to be noted then: they are no news any more.
        """
        if self._of is None or self._of != (epoch, token):
            self._of, self._refused = (epoch, token), {}
        news = tuple(
            (dead, at) for dead, at in refused if at < self._refused.get(dead, float("inf"))
        )
        self._refused.update(news)
        return news
