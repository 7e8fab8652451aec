{{/* What would install and then not work, or tell a secret: refused with a sentence. */}}
{{- define "zoom-gateway.check" -}}
{{- include "zoom-gateway.checkSecrets" (dict "path" "config" "value" .Values.config) -}}
{{- include "zoom-gateway.checkCredentials" . -}}
{{- include "zoom-gateway.checkListeners" . -}}
{{- include "zoom-gateway.checkStore" . -}}
{{- end -}}

{{- define "zoom-gateway.checkSecrets" -}}
{{- $path := .path -}}
{{- if kindIs "map" .value }}
{{- range $key, $value := .value }}
{{- $here := printf "%s.%s" $path $key -}}
{{- $plain := not (or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value)) -}}
{{- if and $plain (regexMatch "(?i)(^|_)(secret|password|passphrase|token|encryption_key)$" $key) }}
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
{{- if or $given .Values.config.accounts }}
{{- fail "simulator.enabled answers in Zoom's place, with credentials of its own: switch it off, or take credentials.existingSecret and accounts away." -}}
{{- end }}
{{- if eq .Values.mode "sidecar" }}
{{- fail "simulator.enabled is for mode: service. Beside a sidecar, run the simulator as a container of your own and set config.upstream." -}}
{{- end }}
{{- else if not (or $config.accounts .Values.extraEnv .Values.extraEnvFrom) }}
{{- fail "There are no credentials: make a Secret with the keys account-id, client-id and client-secret, and set credentials.existingSecret to its name. To try the gateway without a Zoom account, set simulator.enabled=true." -}}
{{- end }}
{{- if and .Values.credentials.existingSecret (hasKey .Values.accounts "default") }}
{{- fail "credentials and accounts.default are both about the account default: keep one of them." -}}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.checkListeners" -}}
{{- $config := include "zoom-gateway.config" . | fromYaml -}}
{{- $loopback := "^(127\\.|localhost$|::1$)" -}}
{{- if regexMatch $loopback (toString $config.admin.host) }}
{{- fail (printf "config.admin.host is %s, where neither the kubelet's probes nor Prometheus get to: leave it out, or set 0.0.0.0 or ::." $config.admin.host) -}}
{{- end }}
{{- if and (eq .Values.mode "service") (regexMatch $loopback (toString $config.listen.host)) }}
{{- fail (printf "config.listen.host is %s, where the Service does not get to: leave it out, or set 0.0.0.0 or ::." $config.listen.host) -}}
{{- end }}
{{- if and (eq .Values.mode "sidecar") (not (regexMatch $loopback (toString $config.listen.host))) }}
{{- fail (printf "config.listen.host is %s: who reaches a sidecar's proxy calls Zoom with your token, so it listens on 127.0.0.1 or ::1 only." $config.listen.host) -}}
{{- end }}
{{- range $section := list "listen" "admin" }}
{{- if eq 0 (int (index $config $section).port) }}
{{- fail (printf "config.%s.port must be a port of its own: Service and probes have to know it." $section) -}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.checkStore" -}}
{{- $url := toString (include "zoom-gateway.config" . | fromYaml).store.url -}}
{{- $unshared := regexMatch "(?i)^(memory|file):" $url -}}
{{- $several := or (gt (int .Values.replicaCount) 1) .Values.autoscaling.enabled -}}
{{- if regexMatch "(?i)^[a-z+]+://[^/@]*:[^/@]+@" $url }}
{{- fail "store.url holds a password, and it stands in a ConfigMap: put the password in a Secret and set store.existingSecret; a user's name may stay in the URL." -}}
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
