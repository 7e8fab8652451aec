{{/* `helm test` runs a pod in the release's namespace. */}}
{{- define "zoom-gateway.testPeer" -}}
- podSelector:
    matchLabels:
      {{- include "zoom-gateway.instanceLabels" . | nindent 6 }}
      app.kubernetes.io/component: test
{{- end -}}

{{- define "zoom-gateway.zoomPorts" -}}
{{- $upstream := default dict (include "zoom-gateway.config" . | fromYaml).upstream -}}
{{- $ports := list -}}
{{- range list (default "https://api.zoom.us" $upstream.api_url) (default "https://zoom.us/oauth/token" $upstream.token_url) }}
{{- $ports = append $ports (include "zoom-gateway.urlPort" (toString .) | int) -}}
{{- end }}
{{- range $ports | uniq }}
- port: {{ . }}
  protocol: TCP
{{- end }}
{{- end -}}

{{/* The port of the proxy on the way to Zoom, as far as it is known; nothing without one. */}}
{{- define "zoom-gateway.proxyPort" -}}
{{- $url := toString (default "auto" (default dict (include "zoom-gateway.config" . | fromYaml).upstream).egress_proxy) -}}
{{- if .Values.upstream.egressProxy.existingSecret -}}
{{- .Values.upstream.egressProxy.port -}}
{{- else if contains "://" $url -}}
{{- include "zoom-gateway.urlPort" $url -}}
{{- else if ne "off" $url -}}
{{- range .Values.extraEnv -}}
{{- if and (eq "https_proxy" (lower (toString .name))) (contains "://" (toString .value)) -}}
{{- include "zoom-gateway.urlPort" .value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The port of an http or https URL. */}}
{{- define "zoom-gateway.urlPort" -}}
{{- $port := . | regexFind "://[^/?#]+" | regexFind ":[0-9]+$" | trimPrefix ":" -}}
{{- default (hasPrefix "http:" (lower .) | ternary "80" "443") $port -}}
{{- end -}}

{{/* The ports of store.url; nothing for a store that is not reached over the network. */}}
{{- define "zoom-gateway.storePorts" -}}
{{- $url := (include "zoom-gateway.config" . | fromYaml).store.url | toString | lower -}}
{{- if hasPrefix "redis" $url }}
{{- $sentinel := contains "+sentinel://" $url -}}
{{- $ports := list -}}
{{- $hosts := $url | regexFind "://[^/?#]+" | trimPrefix "://" | splitList "@" | last -}}
{{- range splitList "," $hosts }}
{{- $port := regexFind ":[0-9]+$" . | trimPrefix ":" -}}
{{- $ports = append $ports (int (default ($sentinel | ternary 26379 6379) $port)) -}}
{{- end }}
{{- if .Values.networkPolicy.storePorts }}
{{- range .Values.networkPolicy.storePorts }}{{ $ports = append $ports (int .) }}{{ end }}
{{- else if $sentinel }}
{{- $ports = append $ports 6379 -}}
{{- end }}
{{- range $ports | uniq }}
- port: {{ . }}
  protocol: TCP
{{- end }}
{{- end }}
{{- end -}}
