"""The codes of findings: stable, for programs. docs/check.md explains each."""

from enum import StrEnum

from gateway.core.errors import MintFailure


class Code(StrEnum):
    """What was found; a code has the same meaning in all versions."""

    # The configuration, and what lies around it.
    CONFIGURATION_OK = "configuration_ok"
    CONFIGURATION = "configuration"
    VARIABLE_IGNORED = "variable_ignored"
    VARIABLE_UNKNOWN = "variable_unknown"
    FILES_PRIVATE = "files_private"
    FILE_EXPOSED = "file_exposed"
    PATH_REPLACEABLE = "path_replaceable"
    SPOOL_OK = "spool_ok"
    SPOOL_UNWRITABLE = "spool_unwritable"
    SPOOL_SPACE_LOW = "spool_space_low"
    KEPT_DISK_TOO_LARGE = "kept_disk_too_large"
    LIMITS_OK = "limits_ok"
    DESCRIPTORS_TOO_FEW = "descriptors_too_few"

    # Who may call what.
    ACCESS_RIGHTS = "access_rights"
    ACCESS_SCOPES = "access_scopes"
    ACCESS_SCOPES_UNCLEAR = "access_scopes_unclear"
    WANTED_SCOPES_HELD = "wanted_scopes_held"
    WANTED_SCOPES_LACKING = "wanted_scopes_lacking"
    WANTED_SCOPES_UNDECIDED = "wanted_scopes_undecided"
    WANTED_SCOPES_UNKNOWN = "wanted_scopes_unknown"
    RULES_IDLE = "rules_idle"
    RULE_PATHS_UNKNOWN = "rule_paths_unknown"
    RULE_SHADOWED = "rule_shadowed"
    RULE_NETWORKS_LOOPBACK = "rule_networks_loopback"
    RULE_CERTIFICATES_UNSEEN = "rule_certificates_unseen"
    RULE_SOCKET_UNUSED = "rule_socket_unused"
    ACCESS_DENIES_ALL = "access_denies_all"
    REAL_TOKEN = "real_token"  # noqa: S105  the name of a finding
    REAL_TOKEN_OFF = "real_token_off"  # noqa: S105  the name of a finding
    REAL_TOKEN_UNUSED = "real_token_unused"  # noqa: S105  the name of a finding
    REAL_TOKEN_IN_CLEAR = "real_token_in_clear"  # noqa: S105  the name of a finding
    KEYS_UNUSED = "keys_unused"
    KEYS_IN_CLEAR = "keys_in_clear"

    # Where the gateway listens.
    LISTENER_FREE = "listener_free"
    LISTENER_IS_GATEWAY = "listener_is_gateway"
    LISTENER_TAKEN = "listener_taken"
    LISTENER_IMPOSSIBLE = "listener_impossible"
    LISTENS_EVERYWHERE = "listens_everywhere"
    SOCKET_EXPOSED = "socket_exposed"
    CERTIFICATE_OK = "certificate_ok"
    CERTIFICATE_DUE = "certificate_due"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_WITHOUT_NAMES = "certificate_without_names"
    CERTIFICATE_NAME_REFUSED = "certificate_name_refused"
    CLIENT_CA_OK = "client_ca_ok"
    CLIENT_CA_EXPIRED = "client_ca_expired"

    # The way to a host.
    DNS_OK = "dns_ok"
    DNS_UNKNOWN = "dns_unknown"
    DNS_NO_ANSWER = "dns_no_answer"
    DNS_TIMEOUT = "dns_timeout"
    DNS_SLOW = "dns_slow"
    DNS_PRIVATE = "dns_private"
    UPSTREAM_LOOP = "upstream_loop"
    ADDRESS_UNUSED = "address_unused"
    CONNECTION_FAILED = "connection_failed"
    FAMILY_UNREACHABLE = "family_unreachable"
    TLS_OK = "tls_ok"
    TLS_EXPIRES_SOON = "tls_expires_soon"
    TLS_EXPIRED = "tls_expired"
    TLS_NOT_YET_VALID = "tls_not_yet_valid"
    TLS_WRONG_HOST = "tls_wrong_host"
    TLS_SELF_SIGNED = "tls_self_signed"
    TLS_INTERCEPTED = "tls_intercepted"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_FAILED = "tls_failed"
    REACHED = "reached"
    UNREACHABLE = "unreachable"
    ANSWER_STRANGE = "answer_strange"
    PROXY_USED = "proxy_used"
    PROXY_FAILED = "proxy_failed"
    PROXY_IGNORED = "proxy_ignored"
    CLOCK_OK = "clock_ok"
    CLOCK_SKEWED = "clock_skewed"
    CLOCK_UNKNOWN = "clock_unknown"

    # The store, and who shares it.
    STORE_MEMORY = "store_memory"
    STORE_OK = "store_ok"
    STORE_SLOW = "store_slow"
    STORE_FAILED = "store_failed"
    STORE_FILE_SET_ASIDE = "store_file_set_aside"
    STORE_DOCUMENT = "store_document"
    STORE_DOCUMENT_BAD = "store_document_bad"
    STORE_EMPTY = "store_empty"
    STORE_ENCRYPTED = "store_encrypted"
    STORE_NOT_ENCRYPTED = "store_not_encrypted"
    STORE_SERVER = "store_server"
    STORE_SERVER_UNKNOWN = "store_server_unknown"
    STORE_SERVER_OLD = "store_server_old"
    STORE_EVICTS = "store_evicts"
    STORE_FORGETS = "store_forgets"
    STORE_IN_CLEAR = "store_in_clear"
    STORE_CLOCK_SKEWED = "store_clock_skewed"
    FLEET = "fleet"
    FLEET_VERSIONS = "fleet_versions"

    # The credentials, tried.
    MINT_SKIPPED = "mint_skipped"
    MINT_OK = "mint_ok"
    MINT_INVALID_CLIENT = "mint_invalid_client"
    MINT_INVALID_ACCOUNT = "mint_invalid_account"
    MINT_INVALID_INDEX = "mint_invalid_index"
    MINT_REFUSED = "mint_refused"
    MINT_RATE_LIMITED = "mint_rate_limited"
    MINT_SERVER_ERROR = "mint_server_error"
    MINT_MALFORMED = "mint_malformed"
    MINT_TIMEOUT = "mint_timeout"
    MINT_CONNECTION = "mint_connection"
    MINT_BROKEN = "mint_broken"
    PREVIOUS_SECRET = "previous_secret"  # noqa: S105  the name of a finding
    API_URL_DIFFERS = "api_url_differs"
    TOKEN_ACCEPTED = "token_accepted"  # noqa: S105  the name of a finding
    TOKEN_REFUSED = "token_refused"  # noqa: S105  the name of a finding
    TOKEN_NO_ANSWER = "token_no_answer"  # noqa: S105  the name of a finding
    TOKEN_UNCLEAR = "token_unclear"  # noqa: S105  the name of a finding
    SCOPES_MISSING = "scopes_missing"

    # What a mint does to the token before it.
    INVALIDATION_SINGLE = "invalidation_single"
    INVALIDATION_MAX = "invalidation_max"
    INVALIDATION_MULTI = "invalidation_multi"
    INDEX_COUNTS = "index_counts"
    INDEX_IGNORED = "index_ignored"
    INVALIDATION_UNCLEAR = "invalidation_unclear"
    INVALIDATION_NOT_ASKED = "invalidation_not_asked"
    INVALIDATION_DECLINED = "invalidation_declined"

    # The check itself.
    UNFINISHED = "unfinished"
    DEFECT = "defect"


def of_mint(failure: MintFailure) -> Code:
    return Code(f"mint_{failure.value}")
