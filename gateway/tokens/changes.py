"""What the manager does to an account's document: each change as a function of document and time.

What comes before `account` is bound by who asks for the change.
"""

from dataclasses import replace

from gateway.core import account as account_rules
from gateway.core import course as rules
from gateway.core.account import Account, Outcome, Refusals
from gateway.core.history import generation_of
from gateway.core.judge import Finding, Judgement, Refusal, judge, vindicate
from gateway.core.token import Token


def judge_for(token: Token, refusal: Refusal, account: Account, now: float) -> Judgement:
    generation = generation_of(account, token)
    if generation != refusal.generation:
        refusal = replace(refusal, generation=generation)
    return judge(account, refusal, now)


def judged(token: Token, refusal: Refusal, account: Account, now: float) -> Outcome:
    judgement = judge_for(token, refusal, account, now)
    return judgement.account, judgement.events


def accepted(
    token: Token, endpoint: str, refused: Refusals, account: Account, now: float
) -> Outcome:
    return account_rules.accepted(account, generation_of(account, token), endpoint, refused, now)


def replanned(account: Account, now: float) -> Outcome:
    """There may be fewer slots to rotate into than when the token was minted."""
    del now
    return rules.replan(account), ()


def requested(known: int, account: Account, now: float) -> Outcome:
    """A token that somebody minted since, unheard of here, is what was asked for."""
    return (rules.request(account, now) if account.generation == known else account), ()


def vindicated(generation: int, finding: Finding, account: Account, now: float) -> Outcome:
    return vindicate(account, generation, finding, now)
