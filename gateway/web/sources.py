"""Whether a call came the way it should: by a name of ours, and for no stranger's web page."""

from dataclasses import dataclass

from gateway.core.errors import CallRefusedError
from gateway.core.headers import CallerHeaders
from gateway.core.hosts import HostNames, cross_site
from gateway.reports import CallReport
from gateway.web.errors import HOST_REFUSED


@dataclass(frozen=True, slots=True)
class Sources:
    """The names, and the pages (origins in lower case), that calls may come by."""

    hosts: HostNames
    origins: frozenset[bytes] = frozenset()

    def check(self, headers: CallerHeaders, report: CallReport) -> None:
        """Raises CallRefusedError, and says in the report why, for what came another way."""
        special = headers.special
        hosts = special.get(b"host", ())
        allow = self.hosts.allow
        for host in hosts:
            if not allow(host):
                report.denied = "host"
                raise CallRefusedError(403, "host_refused", HOST_REFUSED)
        sites, origins = special.get(b"sec-fetch-site", ()), special.get(b"origin", ())
        if not (sites or origins):
            return
        if cross_site(sites, origins, hosts[0] if hosts else None, self.origins):
            report.denied = "origin"
            raise CallRefusedError(
                403,
                "cross_site",
                "A browser made this call for a page of another origin. Call from a program, or "
                "list the page's origin in access.origins.",
            )
