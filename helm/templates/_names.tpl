{{- define "zoom-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters, so that "-dashboard" and "-admin" still fit in 63. */}}
{{- define "zoom-gateway.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $default := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $default .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "zoom-gateway.adminName" -}}
{{ include "zoom-gateway.fullname" . }}-admin
{{- end -}}

{{- define "zoom-gateway.serviceAccountName" -}}
{{- $default := .Values.serviceAccount.create | ternary (include "zoom-gateway.fullname" .) "default" -}}
{{- default $default .Values.serviceAccount.name -}}
{{- end -}}

{{- define "zoom-gateway.instanceLabels" -}}
app.kubernetes.io/name: {{ include "zoom-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What the Deployment's pods are found by; it never changes. */}}
{{- define "zoom-gateway.selectorLabels" -}}
{{ include "zoom-gateway.instanceLabels" . }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "zoom-gateway.labels" -}}
{{- $ours := include "zoom-gateway.instanceLabels" . | fromYaml -}}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- $_ := set $ours "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .Release.Service -}}
{{- mustMergeOverwrite (deepCopy .Values.commonLabels) $ours | toYaml -}}
{{- end -}}

{{- define "zoom-gateway.image" -}}
{{- $name := printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- with .Values.image.digest }}{{ $name = printf "%s@%s" $.Values.image.repository . }}{{ end -}}
{{- $name -}}
{{- end -}}
