{{/*
The Secrets that are mounted, a volume each, whole directories (no subPath), so that the kubelet
brings a rotated secret in: {volumes: [{name, secret or configMap, path, items}]}.
*/}}
{{- define "zoom-gateway.secretVolumes" -}}
{{- $root := include "zoom-gateway.secrets" . -}}
{{- $volumes := list -}}
{{- with .Values.credentials }}{{ if .existingSecret }}
{{- $volumes = append $volumes (dict "name" "credentials" "secret" .existingSecret
  "path" (printf "%s/accounts/default/default" $root)
  "items" (dict "client-secret" .keys.clientSecret "previous-client-secret" .keys.previousClientSecret)) -}}
{{- end }}{{ end }}
{{- range $name, $account := .Values.accounts }}
{{- range $account.apps }}
{{- $app := default "default" .name -}}
{{- $volumes = append $volumes (dict
  "name" (printf "credentials-%s" (printf "%s/%s" $name $app | sha256sum | trunc 10))
  "secret" .existingSecret
  "path" (printf "%s/accounts/%s/%s" $root $name $app)
  "items" (dict "client-secret" (default "client-secret" .clientSecretKey) "previous-client-secret" .previousClientSecretKey)) -}}
{{- end }}
{{- end }}
{{- with .Values.store }}{{ if .existingSecret }}
{{- $volumes = append $volumes (dict "name" "store" "secret" .existingSecret
  "path" (printf "%s/store" $root)
  "items" (dict "password" .keys.password "sentinel-password" .keys.sentinelPassword
    "encryption-key" .keys.encryptionKey "previous-encryption-key" .keys.previousEncryptionKey)) -}}
{{- end }}{{ if .tls.existingSecret }}
{{- $volumes = append $volumes (dict "name" "store-tls" "secret" .tls.existingSecret
  "path" (printf "%s/store-tls" $root)
  "items" (dict "ca.pem" .tls.keys.ca "certificate.pem" .tls.keys.certificate "key.pem" .tls.keys.key)) -}}
{{- end }}{{ end }}
{{- $volumes = concat $volumes (include "zoom-gateway.guardVolumes" . | fromYaml).volumes -}}
{{- dict "volumes" $volumes | toYaml -}}
{{- end -}}

{{- define "zoom-gateway.volumes" -}}
{{- /* The group reads them if it is the pod's fsGroup. Otherwise they are root's, which the gateway is
not; no other container mounts them. */}}
{{- $group := and (eq .Values.mode "service") (default dict .Values.podSecurityContext).fsGroup }}
{{- $mode := ternary 288 292 (not (not $group)) }}
{{- $prefix := eq .Values.mode "sidecar" | ternary "zoom-gateway-" "" }}
- name: {{ $prefix }}config
  configMap:
    name: {{ include "zoom-gateway.fullname" . }}
- name: {{ $prefix }}tmp
  emptyDir:
    sizeLimit: {{ .Values.tmp.sizeLimit | quote }}
{{- range (include "zoom-gateway.secretVolumes" . | fromYaml).volumes }}
- name: {{ $prefix }}{{ .name }}
  {{- if .configMap }}
  configMap:
    name: {{ .configMap | quote }}
  {{- else }}
  secret:
    secretName: {{ .secret | quote }}
  {{- end }}
    optional: false
    # {{ eq (int $mode) 292 | ternary "0444" "0440" }}
    defaultMode: {{ $mode }}
    items:
    {{- range $path, $key := .items }}
    {{- if $key }}
      - key: {{ $key | quote }}
        path: {{ $path }}
    {{- end }}
    {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.volumeMounts" -}}
{{- $prefix := eq .Values.mode "sidecar" | ternary "zoom-gateway-" "" -}}
- name: {{ $prefix }}config
  mountPath: {{ include "zoom-gateway.configFile" . | dir }}
  readOnly: true
- name: {{ $prefix }}tmp
  mountPath: /tmp
{{- range (include "zoom-gateway.secretVolumes" . | fromYaml).volumes }}
- name: {{ $prefix }}{{ .name }}
  mountPath: {{ .path }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}
