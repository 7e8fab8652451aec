{{/* The Secret with the certificate; nothing for plain HTTP. */}}
{{- define "zoom-gateway.tlsSecret" -}}
{{- $made := .Values.tls.certificate.enabled | ternary (printf "%s-tls" (include "zoom-gateway.fullname" .)) "" -}}
{{- default $made .Values.tls.existingSecret -}}
{{- end -}}

{{/* http or https: what the merged configuration makes of the proxy port. */}}
{{- define "zoom-gateway.scheme" -}}
{{- $tls := default dict (include "zoom-gateway.config" . | fromYaml).tls -}}
{{- (default "" $tls.certificate_file) | empty | ternary "http" "https" -}}
{{- end -}}

{{/* required, optional or off. */}}
{{- define "zoom-gateway.clientCertificates" -}}
{{- $tls := default dict (include "zoom-gateway.config" . | fromYaml).tls -}}
{{- if $tls.client_ca_file }}{{ default "required" $tls.client_certificates }}{{ else }}off{{ end -}}
{{- end -}}

{{/* The Service's name in the cluster, which a certificate of ours names. */}}
{{- define "zoom-gateway.host" -}}
{{ include "zoom-gateway.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end -}}

{{/* The section `tls`: paths of what is mounted. */}}
{{- define "zoom-gateway.tls" -}}
{{- $root := include "zoom-gateway.secrets" . -}}
{{- if include "zoom-gateway.tlsSecret" . }}
certificate_file: {{ $root }}/tls/certificate.pem
key_file: {{ $root }}/tls/key.pem
{{- with .Values.tls.clientCA }}{{ if or .existingSecret .existingConfigMap }}
client_ca_file: {{ $root }}/client-ca/ca.pem
client_certificates: {{ $.Values.tls.clientCertificates }}
{{- end }}{{ end }}
{{- end }}
{{- end -}}

{{/* What goes over `upstream` and `access`: paths of what is mounted. */}}
{{- define "zoom-gateway.guarded" -}}
{{- $root := include "zoom-gateway.secrets" . -}}
{{- with .Values.upstream.caFile }}{{ if or .existingSecret .existingConfigMap }}
upstream:
  ca_file: {{ $root }}/upstream-ca/ca.pem
{{- end }}{{ end }}
{{- with .Values.access.keys }}
access:
  keys:
    {{- range $name, $_ := . }}
    {{ $name | quote }}: {key_file: {{ printf "%s/access/%s/key" $root $name | quote }}}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Their volumes, as `zoom-gateway.secretVolumes` has them. */}}
{{- define "zoom-gateway.guardVolumes" -}}
{{- $root := include "zoom-gateway.secrets" . -}}
{{- $volumes := list -}}
{{- with include "zoom-gateway.tlsSecret" . }}
{{- $volumes = append $volumes (dict "name" "tls" "secret" . "path" (printf "%s/tls" $root)
  "items" (dict "certificate.pem" $.Values.tls.keys.certificate "key.pem" $.Values.tls.keys.key)) -}}
{{- end }}
{{- range $name, $ca := dict "client-ca" .Values.tls.clientCA "upstream-ca" .Values.upstream.caFile }}
{{- if or $ca.existingSecret $ca.existingConfigMap }}
{{- $volumes = append $volumes (dict "name" $name "secret" $ca.existingSecret
  "configMap" $ca.existingConfigMap "path" (printf "%s/%s" $root $name) "items" (dict "ca.pem" $ca.key)) -}}
{{- end }}
{{- end }}
{{- range $name, $one := .Values.access.keys }}
{{- $volumes = append $volumes (dict "name" (printf "access-%s" ($name | sha256sum | trunc 10))
  "secret" $one.existingSecret "path" (printf "%s/access/%s" $root $name) "items" (dict "key" $one.key)) -}}
{{- end }}
{{- dict "volumes" $volumes | toYaml -}}
{{- end -}}
