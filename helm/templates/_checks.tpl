{{/* What would install and then not work, or tell a secret: refused with a sentence. */}}
{{- define "zoom-gateway.check" -}}
{{- include "zoom-gateway.checkSecrets" (dict "path" "config" "value" .Values.config) -}}
{{- include "zoom-gateway.checkNames" . -}}
{{- include "zoom-gateway.checkUrls" . -}}
{{- include "zoom-gateway.checkCredentials" . -}}
{{- include "zoom-gateway.checkListeners" . -}}
{{- include "zoom-gateway.checkStore" . -}}
{{- include "zoom-gateway.checkGuards" . -}}
{{- end -}}

{{- define "zoom-gateway.checkSecrets" -}}
{{- $path := .path -}}
{{- if kindIs "map" .value }}
{{- range $key, $value := .value }}
{{- $here := printf "%s.%s" $path $key -}}
{{- $plain := not (or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value)) -}}
{{- if and $plain (regexMatch "(?i)((secret|password|passphrase|encryption_?key)$|(^|_)token$)" $key) }}
{{- fail (printf "%s is a secret, and gateway.yaml stands in a ConfigMap. Put it in a Secret: credentials.existingSecret, accounts.NAME.apps[].existingSecret or store.existingSecret." $here) -}}
{{- end }}
{{- if and (kindIs "string" $value) (regexMatch "_file$" $key) (not (hasPrefix "/" $value)) }}
{{- fail (printf "%s must be the path of a mounted file, beginning with /. The content itself belongs in a Secret." $here) -}}
{{- end }}
{{- include "zoom-gateway.checkSecrets" (dict "path" $here "value" $value) -}}
{{- end }}
{{- else if kindIs "slice" .value }}
{{- range $place, $value := .value }}
{{- include "zoom-gateway.checkSecrets" (dict "path" (printf "%s[%d]" $path $place) "value" $value) -}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.checkCredentials" -}}
{{- $config := include "zoom-gateway.config" . | fromYaml -}}
{{- $given := or .Values.credentials.existingSecret .Values.accounts -}}
{{- if .Values.simulator.enabled }}
{{- if or $given (default dict .Values.config).accounts }}
{{- fail "simulator.enabled answers in Zoom's place, with credentials of its own: switch it off, or take credentials.existingSecret and accounts away." -}}
{{- end }}
{{- if eq .Values.mode "sidecar" }}
{{- fail "simulator.enabled is for mode: service. Beside a sidecar, run the simulator as a container of your own and set config.upstream." -}}
{{- end }}
{{- else if not (or $config.accounts .Values.extraEnv .Values.extraEnvFrom) }}
{{- fail "There are no credentials: make a Secret with the keys account-id, client-id and client-secret, and set credentials.existingSecret to its name. To try the gateway without a Zoom account, set simulator.enabled=true." -}}
{{- end }}
{{- $accounts := default dict .Values.accounts -}}
{{- if and .Values.credentials.existingSecret (hasKey $accounts "default") }}
{{- fail "credentials and accounts.default are both about the account default: keep one of them." -}}
{{- end }}
{{- range $name, $account := $accounts }}
{{- $apps := list -}}
{{- range $account.apps }}{{ $apps = append $apps (default "default" .name) }}{{ end }}
{{- if ne (len $apps) (len (uniq $apps)) }}
{{- fail (printf "accounts.%s.apps: two have the same name (without one it is default). Give each a name of its own." $name) -}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.checkListeners" -}}
{{- $config := include "zoom-gateway.config" . | fromYaml -}}
{{- $loopback := "^(127\\.|localhost$|::1$)" -}}
{{- $sections := list "listen" "admin" -}}
{{- if $config.listen.socket }}
{{- $sections = list "admin" -}}
{{- if eq .Values.mode "service" }}
{{- fail "config.listen.socket is for mode: sidecar: the Service does not get to a socket." -}}
{{- end }}
{{- end }}
{{- range $section := $sections }}
{{- $host := (index $config $section).host -}}
{{- if not (and (kindIs "string" $host) $host) }}
{{- fail (printf "config.%s.host must be an address, such as 0.0.0.0 or ::. Leave it out, and the chart sets it." $section) -}}
{{- end }}
{{- end }}
{{- if regexMatch $loopback (toString $config.admin.host) }}
{{- fail (printf "config.admin.host is %s, where neither the kubelet's probes nor Prometheus get to: leave it out, or set 0.0.0.0 or ::." $config.admin.host) -}}
{{- end }}
{{- if and (eq .Values.mode "service") (regexMatch $loopback (toString $config.listen.host)) }}
{{- fail (printf "config.listen.host is %s, where the Service does not get to: leave it out, or set 0.0.0.0 or ::." $config.listen.host) -}}
{{- end }}
{{- if and (eq .Values.mode "sidecar") (not $config.listen.socket) (not (regexMatch $loopback (toString $config.listen.host))) }}
{{- fail (printf "config.listen.host is %s: who reaches a sidecar's proxy calls Zoom with your token, so it listens on 127.0.0.1 or ::1 only." $config.listen.host) -}}
{{- end }}
{{- range $section := $sections }}
{{- if eq 0 (int (index $config $section).port) }}
{{- fail (printf "config.%s.port must be a port of its own: Service and probes have to know it." $section) -}}
{{- end }}
{{- end }}
{{- if and (not $config.listen.socket) (eq (int $config.listen.port) (int $config.admin.port)) }}
{{- fail (printf "config.listen.port and config.admin.port are both %d: they are two ports." (int $config.admin.port)) -}}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.checkStore" -}}
{{- $url := toString (include "zoom-gateway.config" . | fromYaml).store.url -}}
{{- $unshared := regexMatch "(?i)^(memory|file):" $url -}}
{{- $several := or (gt (int .Values.replicaCount) 1) .Values.autoscaling.enabled -}}
{{- if regexMatch "(?i)^[a-z+]+://[^@]*:[^@]*@" $url }}
{{- fail "store.url holds a password, and it stands in a ConfigMap: put the password in a Secret and set store.existingSecret; a user's name may stay in the URL." -}}
{{- end }}
{{- if not (regexMatch "^(memory:$|file:///|rediss?(\\+sentinel)?://)" $url) }}
{{- fail "config.store.url is none of memory:, file:///DIRECTORY, redis://, rediss://, redis+sentinel:// and rediss+sentinel://." -}}
{{- end }}
{{- if and $unshared .Values.store.existingSecret }}
{{- fail (printf "store.existingSecret is for a Redis, which store.url %q is not: set store.url to one, or take the Secret away." $url) -}}
{{- end }}
{{- if and .Values.store.existingSecret .Values.store.keys.sentinelPassword (not (contains "+sentinel:" $url)) }}
{{- fail (printf "store.keys.sentinelPassword is for Sentinels, and store.url %q has none: empty it, or set store.url to redis+sentinel://HOST:26379,HOST:26379/MASTER/0." $url) -}}
{{- end }}
{{- if and .Values.store.tls.existingSecret (not (hasPrefix "rediss" $url)) }}
{{- fail (printf "store.tls is for rediss:// and rediss+sentinel://, and store.url is %q: begin it with rediss, or take store.tls.existingSecret away." $url) -}}
{{- end }}
{{- $password := or (include "zoom-gateway.config" . | fromYaml).store.password_file .Values.extraEnv .Values.extraEnvFrom -}}
{{- if and (regexMatch "^redis[^/]*://[^/@]+@" $url) (not $password) }}
{{- fail "store.url names a user, and there is no password: put it in a Secret and set store.existingSecret." -}}
{{- end }}
{{- range $at, $secret := dict "store" .Values.store "store.tls" .Values.store.tls }}
{{- if and $secret.existingSecret (not (values $secret.keys | join "")) }}
{{- fail (printf "%s.existingSecret is set, and none of %s.keys: nothing of that Secret would be used." $at $at) -}}
{{- end }}
{{- end }}
{{- with .Values.store.tls }}
{{- if and .existingSecret (ne (empty .keys.certificate) (empty .keys.key)) }}
{{- fail "store.tls.keys names one of certificate and key: they go together." -}}
{{- end }}
{{- end }}
{{- if eq .Values.mode "sidecar" }}
{{- if $unshared }}
{{- fail (printf "Sidecars share the account's tokens through a Redis, which store.url %q is not: each pod would mint tokens of its own, and they kill those of the others. Set store.url, as in redis://gateway@redis.example:6379/0." $url) -}}
{{- end }}
{{- else if and $several .Values.simulator.enabled }}
{{- fail "simulator.enabled runs a simulator in each pod, and they know nothing of each other's tokens: set replicaCount to 1 and autoscaling.enabled to false." -}}
{{- else if and $several $unshared }}
{{- fail (printf "More than one replica needs a store that they share, which store.url %q is not: each would mint tokens of its own, and they kill those of the others. Set store.url to a Redis, as in redis://gateway@redis.example:6379/0, or set replicaCount to 1 and autoscaling.enabled to false." $url) -}}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.checkNames" -}}
{{- $name := include "zoom-gateway.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) }}
{{- fail (printf "The Services would be called %s, which Kubernetes refuses: a letter first, then small letters, digits and dashes. Set fullnameOverride to such a name." $name) -}}
{{- end }}
{{- end -}}

{{/* Their ports are read from them. They may hold a password: it is not shown. */}}
{{- define "zoom-gateway.checkUrls" -}}
{{- $config := include "zoom-gateway.config" . | fromYaml -}}
{{- range $place := list "upstream.api_url" "upstream.token_url" "tracing.endpoint" }}
{{- $section := default dict (index $config (dir (replace "." "/" $place))) -}}
{{- $key := base (replace "." "/" $place) -}}
{{- if hasKey $section $key }}
{{- $url := index $section $key -}}
{{- $auto := and (eq $place "upstream.api_url") (eq "auto" (lower (toString $url))) -}}
{{- if not (or $auto (and (kindIs "string" $url) (regexMatch "(?i)^https?://[^/?#\\s]+" (toString $url)))) }}
{{- fail (printf "config.%s is no URL: it begins with https:// or http:// and a host." $place) -}}
{{- end }}
{{- if regexMatch "^[^/]*//[^/?#]*@" $url }}
{{- fail (printf "config.%s holds a user's name or password, and gateway.yaml stands in a ConfigMap: take it out." $place) -}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The operator leaves a monitor out that scrapes for longer than its interval. */}}
{{- define "zoom-gateway.checkMonitor" -}}
{{- $monitor := .Values.serviceMonitor -}}
{{- $interval := include "zoom-gateway.milliseconds" $monitor.interval | int -}}
{{- if lt $interval (include "zoom-gateway.milliseconds" $monitor.scrapeTimeout | int) }}
{{- fail (printf "serviceMonitor.scrapeTimeout (%s) is longer than serviceMonitor.interval (%s): Prometheus refuses that. Shorten the first." $monitor.scrapeTimeout $monitor.interval) -}}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" . -1 }}
{{- $sum = add $sum (mul (regexFind "^[0-9]+" . | int) (index $units (regexFind "[a-z]+$" .))) -}}
{{- end }}
{{- $sum -}}
{{- end -}}
