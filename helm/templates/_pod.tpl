{{- define "zoom-gateway.podSpec" -}}
serviceAccountName: {{ include "zoom-gateway.serviceAccountName" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
# No preStop: from SIGTERM the gateway is not ready, and goes on taking calls for drain.delay.
terminationGracePeriodSeconds: {{ include "zoom-gateway.gracePeriod" . }}
{{- with .Values.extraInitContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - {{ include "zoom-gateway.container" . | nindent 4 | trim }}
    {{- with .Values.readinessProbe }}
    readinessProbe:
      httpGet: {path: /readyz, port: {{ include "zoom-gateway.adminPort" $ }}}
      {{- toYaml . | nindent 6 }}
    {{- end }}
  {{- if .Values.simulator.enabled }}
  - {{ include "zoom-gateway.simulator" . | nindent 4 | trim }}
  {{- end }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  {{- include "zoom-gateway.volumes" . | trim | nindent 2 }}
{{- include "zoom-gateway.placement" . }}
{{- end -}}

{{- define "zoom-gateway.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if kindIs "invalid" .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    # Of one version: the old pods of a rollout are going anyway.
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "zoom-gateway.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- else if .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
{{- end }}
{{- end -}}
