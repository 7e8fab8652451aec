{{/*
For the pods of another chart, which has this one as a dependency with `mode: sidecar`:

  spec:
    template:
      metadata:
        annotations:
          {{- include "zoom-gateway.sidecar.annotations" (index .Subcharts "zoom-gateway") | nindent 10 }}
      spec:
        initContainers:
          {{- include "zoom-gateway.sidecar" (index .Subcharts "zoom-gateway") | nindent 10 }}
        volumes:
          {{- include "zoom-gateway.sidecar.volumes" (index .Subcharts "zoom-gateway") | nindent 10 }}

Their containers call Zoom at http://127.0.0.1:8080. It is a native sidecar: it has started before
they start, and ends after they have ended.
*/}}
{{- define "zoom-gateway.sidecar" -}}
{{- include "zoom-gateway.sidecar.only" . -}}
- restartPolicy: Always
  {{- include "zoom-gateway.container" . | nindent 2 }}
{{- end -}}

{{- define "zoom-gateway.sidecar.volumes" -}}
{{- include "zoom-gateway.sidecar.only" . -}}
{{- include "zoom-gateway.volumes" . | trim -}}
{{- end -}}

{{/* A changed configuration makes new pods; and the PodMonitor knows whose they are. */}}
{{- define "zoom-gateway.sidecar.annotations" -}}
{{- include "zoom-gateway.sidecar.only" . -}}
checksum/zoom-gateway: {{ include "zoom-gateway.config" . | sha256sum }}
zoom-gateway/sidecar: {{ include "zoom-gateway.fullname" . }}
{{- end -}}

{{- define "zoom-gateway.sidecar.only" -}}
{{- if ne .Values.mode "sidecar" -}}
{{- fail "The template zoom-gateway.sidecar needs mode: sidecar in this chart's values, or the proxy would listen on the pod's address." -}}
{{- end -}}
{{- end -}}
