{{/* Where the files are in the container. */}}
{{- define "zoom-gateway.configFile" -}}/etc/zoom-gateway/gateway.yaml{{- end -}}
{{- define "zoom-gateway.secrets" -}}/run/secrets/zoom-gateway{{- end -}}

{{/*
gateway.yaml: what the values say, and `config` over it. As YAML; with fromYaml it is the one source
of ports, store and drain for all templates.
*/}}
{{- define "zoom-gateway.config" -}}
{{- $sidecar := eq .Values.mode "sidecar" -}}
{{- $listen := default dict (default dict .Values.config).listen -}}
{{- $config := dict
  "listen" ($listen.socket | empty | ternary (dict "host" ($sidecar | ternary "127.0.0.1" "0.0.0.0") "port" 8080) dict)
  "admin" (dict "host" "0.0.0.0" "port" 9090)
  "store" (include "zoom-gateway.store" . | fromYaml)
-}}
{{- /* A sidecar is told to end when its callers have ended: nobody has to notice first. */}}
{{- $_ := set $config "drain" ($sidecar | ternary (dict "delay" 0 "timeout" 5) (dict "delay" 5 "timeout" 30)) -}}
{{- with include "zoom-gateway.accounts" . | fromYaml }}
{{- $_ := set $config "accounts" . -}}
{{- end }}
{{- if .Values.simulator.enabled }}
{{- $_ := set $config "upstream" (dict
  "api_url" "http://127.0.0.1:8081" "token_url" "http://127.0.0.1:8081/oauth/token") -}}
{{- end }}
{{- with include "zoom-gateway.tls" . | fromYaml }}
{{- $_ := set $config "tls" . -}}
{{- end }}
{{- /* Callers trust these names: the gateway has to answer to them. A list in config.access counts alone. */}}
{{- with .Values.tls.certificate }}{{ if and .enabled .dnsNames }}
{{- $_ := set $config "access" (dict "hosts" .dnsNames) -}}
{{- end }}{{ end }}
{{- $config = mustMergeOverwrite $config (include "zoom-gateway.guarded" . | fromYaml) -}}
{{- mustMergeOverwrite $config (deepCopy (default dict .Values.config)) | toYaml -}}
{{- end -}}

{{- define "zoom-gateway.store" -}}
{{- $store := .Values.store -}}
{{- $files := printf "%s/store" (include "zoom-gateway.secrets" .) -}}
url: {{ $store.url | quote }}
{{- if $store.existingSecret }}
{{- range $key, $file := dict "password" "password" "sentinelPassword" "sentinel-password" "encryptionKey" "encryption-key" "previousEncryptionKey" "previous-encryption-key" }}
{{- if index $store.keys $key }}
{{ snakecase $key }}_file: {{ $files }}/{{ $file }}
{{- end }}
{{- end }}
{{- end }}
{{- if $store.tls.existingSecret }}
{{- range $key, $setting := dict "ca" "ca_file" "certificate" "client_certificate_file" "key" "client_key_file" }}
{{- if index $store.tls.keys $key }}
{{ $setting }}: {{ $files }}-tls/{{ $key }}.pem
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The section `accounts`: ids and the paths of secrets, never a secret. */}}
{{- define "zoom-gateway.accounts" -}}
{{- $root := printf "%s/accounts" (include "zoom-gateway.secrets" .) -}}
{{- $accounts := dict -}}
{{- if .Values.credentials.existingSecret }}
{{- $app := dict "name" "default" "token_indexes" .Values.credentials.tokenIndexes
  "client_secret_file" (printf "%s/default/default/client-secret" $root) -}}
{{- with .Values.credentials.clientId }}{{ $_ := set $app "client_id" . }}{{ end }}
{{- if .Values.credentials.keys.previousClientSecret }}
{{- $_ := set $app "previous_client_secret_file" (printf "%s/default/default/previous-client-secret" $root) -}}
{{- end }}
{{- $account := dict "apps" (list $app) -}}
{{- with .Values.credentials.accountId }}{{ $_ := set $account "account_id" . }}{{ end }}
{{- $_ := set $accounts "default" $account -}}
{{- end }}
{{- range $name, $account := .Values.accounts }}
{{- $apps := list -}}
{{- range $account.apps }}
{{- $directory := printf "%s/%s/%s" $root $name (default "default" .name) -}}
{{- $app := dict "name" (default "default" .name) "client_id" .clientId
  "token_indexes" (default (list 0) .tokenIndexes)
  "client_secret_file" (printf "%s/client-secret" $directory) -}}
{{- if .previousClientSecretKey }}
{{- $_ := set $app "previous_client_secret_file" (printf "%s/previous-client-secret" $directory) -}}
{{- end }}
{{- $apps = append $apps $app -}}
{{- end }}
{{- $_ := set $accounts $name (dict "account_id" $account.accountId "apps" $apps) -}}
{{- end }}
{{- if $accounts }}{{ toYaml $accounts }}{{ end }}
{{- end -}}

{{/* Seconds that a pod has to end: the drain of the merged configuration and some to spare. */}}
{{- define "zoom-gateway.gracePeriod" -}}
{{- $drain := (include "zoom-gateway.config" . | fromYaml).drain -}}
{{- $needed := addf (float64 $drain.delay) (float64 $drain.timeout) | ceil | int -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given }}
{{- add $needed 10 -}}
{{- else if lt (int $given) $needed }}
{{- fail (printf "terminationGracePeriodSeconds is %d, but draining takes up to %d s (drain.delay and drain.timeout): the pods would be killed with calls in flight. Raise it, or leave it empty." (int $given) $needed) -}}
{{- else }}
{{- int $given -}}
{{- end }}
{{- end -}}
