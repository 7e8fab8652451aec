{{/* The gateway's container: the same in its own pods and as a sidecar, but for the probes. */}}
{{- define "zoom-gateway.container" -}}
{{- $config := include "zoom-gateway.config" . | fromYaml -}}
name: zoom-gateway
image: {{ include "zoom-gateway.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - serve
  - --config={{ include "zoom-gateway.configFile" . }}
  {{- if gt (int .Values.workers) 1 }}
  - --workers={{ int .Values.workers }}
  {{- end }}
  {{- with .Values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with include "zoom-gateway.env" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- if eq .Values.mode "service" }}
  # Called so with TLS, too: NetworkPolicy and Service find it by its name, in old pods and new.
  - name: http
    containerPort: {{ int $config.listen.port }}
  {{- end }}
  - name: {{ include "zoom-gateway.adminPort" . }}
    containerPort: {{ int $config.admin.port }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
# The last lines of the log say why it ended: `kubectl describe` shows them.
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- range $kind := list "startupProbe" "livenessProbe" }}
{{- with index $.Values $kind }}
{{ $kind }}:
  httpGet: {path: /livez, port: {{ include "zoom-gateway.adminPort" $ }}}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
volumeMounts:
  {{- include "zoom-gateway.volumeMounts" . | nindent 2 }}
{{- end -}}

{{/* Names of ports are unique in a pod, and an application may well have an "admin" of its own. */}}
{{- define "zoom-gateway.adminPort" -}}
{{ eq .Values.mode "sidecar" | ternary "zoom-admin" "admin" }}
{{- end -}}

{{- define "zoom-gateway.env" -}}
{{- if .Values.simulator.enabled }}
# The simulator's, which everybody knows.
- name: ZOOM_ACCOUNT_ID
  value: demo-account
- name: ZOOM_CLIENT_ID
  value: demo-client
- name: ZOOM_CLIENT_SECRET
  value: demo-secret
{{- end }}
{{- with .Values.credentials }}{{ if .existingSecret }}
{{- if not .accountId }}
- name: ZOOM_ACCOUNT_ID
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .keys.accountId | quote }}}
{{- end }}
{{- if not .clientId }}
- name: ZOOM_CLIENT_ID
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .keys.clientId | quote }}}
{{- end }}
{{- end }}{{ end }}
{{- with .Values.upstream.egressProxy }}{{ if .existingSecret }}
- name: ZOOM_GATEWAY_UPSTREAM__EGRESS_PROXY
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .key | quote }}}
{{- end }}{{ end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.simulator" -}}
name: simulator
image: {{ include "zoom-gateway.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - simulate
  - --port=8081
  {{- with .Values.simulator.args }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
resources:
  {{- toYaml .Values.simulator.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end -}}
