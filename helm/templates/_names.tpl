{{- define "zoom-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/*
At most 52 characters, so that "-dashboard" and "-admin" still fit in 63. A release may have dots in
its name, a Service not.
*/}}
{{- define "zoom-gateway.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $default := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $default .Values.fullnameOverride | replace "." "-" | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "zoom-gateway.adminName" -}}
{{ include "zoom-gateway.fullname" . }}-admin
{{- end -}}

{{- define "zoom-gateway.serviceAccountName" -}}
{{- $default := .Values.serviceAccount.create | ternary (include "zoom-gateway.fullname" .) "default" -}}
{{- default $default .Values.serviceAccount.name -}}
{{- end -}}

{{- define "zoom-gateway.instanceLabels" -}}
app.kubernetes.io/name: {{ include "zoom-gateway.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* What the Deployment's pods are found by; it never changes. */}}
{{- define "zoom-gateway.selectorLabels" -}}
{{ include "zoom-gateway.instanceLabels" . }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "zoom-gateway.labels" -}}
{{- include "zoom-gateway.labelsWith" (dict "root" . "more" dict) -}}
{{- end -}}

{{/*
`more` goes over commonLabels, and ours over both, for things are found by them: each key once, as
what reads YAML strictly wants it.
*/}}
{{- define "zoom-gateway.labelsWith" -}}
{{- $ours := include "zoom-gateway.instanceLabels" .root | fromYaml -}}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- $_ := set $ours "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- with .component }}{{ $_ := set $ours "app.kubernetes.io/component" . }}{{ end -}}
{{- mustMergeOverwrite dict (deepCopy (default dict .root.Values.commonLabels)) (deepCopy (default dict .more)) $ours | toYaml -}}
{{- end -}}

{{- define "zoom-gateway.image" -}}
{{- $name := printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- with .Values.image.digest }}{{ $name = printf "%s@%s" $.Values.image.repository . }}{{ end -}}
{{- $name -}}
{{- end -}}
