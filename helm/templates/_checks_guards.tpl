{{/* Of TLS, access, limits and the way to Zoom: what would install and then not work, or tell a secret. */}}
{{- define "zoom-gateway.checkGuards" -}}
{{- include "zoom-gateway.checkTls" . -}}
{{- include "zoom-gateway.checkAccess" . -}}
{{- include "zoom-gateway.checkProxy" . -}}
{{- include "zoom-gateway.checkLimits" . -}}
{{- end -}}

{{- define "zoom-gateway.checkTls" -}}
{{- $tls := .Values.tls -}}
{{- $config := include "zoom-gateway.config" . | fromYaml -}}
{{- range $at, $ca := dict "tls.clientCA" $tls.clientCA "upstream.caFile" .Values.upstream.caFile }}
{{- if and $ca.existingSecret $ca.existingConfigMap }}
{{- fail (printf "%s names a Secret and a ConfigMap: keep one of them." $at) -}}
{{- end }}
{{- end }}
{{- if and $tls.certificate.enabled (not $tls.certificate.issuerRef.name) }}
{{- fail "tls.certificate.enabled needs tls.certificate.issuerRef.name: the Issuer of cert-manager that signs it." -}}
{{- end }}
{{- $given := or (include "zoom-gateway.tlsSecret" .) (default dict $config.tls).certificate_file -}}
{{- if and (eq .Values.mode "sidecar") $given }}
{{- fail "tls is for mode: service. A sidecar listens on its pod's loopback, or on a socket (config.listen.socket)." -}}
{{- end }}
{{- if not $given }}
{{- if or $tls.clientCA.existingSecret $tls.clientCA.existingConfigMap (default dict $config.tls).client_ca_file }}
{{- fail "tls.clientCA without a certificate of the gateway's own: nobody shows a client certificate over plain HTTP. Set tls.existingSecret." -}}
{{- end }}
{{- if $tls.testClient.existingSecret }}
{{- fail "tls.testClient without a certificate of the gateway's own: set tls.existingSecret." -}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.checkAccess" -}}
{{- $access := default dict (default dict .Values.config).access -}}
{{- range $name, $one := default dict $access.keys }}
{{- if or (not (kindIs "map" $one)) (hasKey (default dict $one) "key") }}
{{- fail (printf "config.access.keys.%s holds a key, and gateway.yaml stands in a ConfigMap. Put it in a Secret: access.keys.%s.existingSecret." $name $name) -}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.checkProxy" -}}
{{- $proxy := .Values.upstream.egressProxy -}}
{{- $written := default dict (default dict .Values.config).upstream -}}
{{- $url := toString (default "" $written.egress_proxy) -}}
{{- $password := "^[^/]*//[^/?#]*@" -}}
{{- if regexMatch $password $url }}
{{- fail "config.upstream.egress_proxy holds a user's name or password, and gateway.yaml stands in a ConfigMap: put the URL in a Secret and set upstream.egressProxy.existingSecret." -}}
{{- end }}
{{- range .Values.extraEnv }}
{{- if and (regexMatch "(?i)^(https?|all)_proxy$" (toString .name)) (regexMatch $password (toString (default "" .value))) }}
{{- fail (printf "extraEnv: %s holds a password, and everybody who sees the pod sees it: put the URL in a Secret and set upstream.egressProxy.existingSecret." .name) -}}
{{- end }}
{{- end }}
{{- if $proxy.existingSecret }}
{{- if $url }}
{{- fail "upstream.egressProxy.existingSecret and config.upstream.egress_proxy are both about the proxy: keep one of them." -}}
{{- end }}
{{- if .Values.simulator.enabled }}
{{- fail "upstream.egressProxy is a way to Zoom, and simulator.enabled answers in Zoom's place in the pod itself: keep one of them." -}}
{{- end }}
{{- if and (eq .Values.mode "service") .Values.networkPolicy.enabled (not $proxy.port) }}
{{- fail "upstream.egressProxy.port is not set, and the NetworkPolicy has to let the gateway out to it: set it to the port that is in the Secret's URL." -}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "zoom-gateway.checkLimits" -}}
{{- $limits := default dict (default dict .Values.config).limits -}}
{{- $workers := float64 .Values.workers -}}
{{- $memory := toString (default "" (default dict (default dict .Values.resources).limits).memory) -}}
{{- range $key, $room := dict "kept_disk" (list "tmp.sizeLimit" .Values.tmp.sizeLimit) "kept_memory" (list "resources.limits.memory" $memory) }}
{{- $kept := mulf $workers (float64 (default 0 (index $limits $key))) -}}
{{- $has := include "zoom-gateway.bytes" (index $room 1) | float64 -}}
{{- if and $has (gt $kept $has) }}
{{- fail (printf "config.limits.%s allows %.0f bytes in all workers, more than %s (%s): the pod would be ended before the limit is reached. Lower the first, or raise the second." $key $kept (index $room 0) (index $room 1)) -}}
{{- end }}
{{- end }}
{{- $calls := mulf $workers (float64 (default 0 $limits.calls)) -}}
{{- $target := float64 (default 0 .Values.autoscaling.targetInflightRequests) -}}
{{- if and .Values.autoscaling.enabled $calls $target (ge $target $calls) }}
{{- fail (printf "autoscaling.targetInflightRequests is %.0f, and a pod takes %.0f calls at most (config.limits.calls): no replica would ever be added. Lower it." $target $calls) -}}
{{- end }}
{{- end -}}

{{/* The bytes of a quantity of Kubernetes, such as 2Gi or 500M; 0 for none and for what is not read. */}}
{{- define "zoom-gateway.bytes" -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $text := toString . -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- if and (regexMatch "^[0-9.]+[A-Za-z]*$" $text) (hasKey $units $unit) -}}
{{- mulf (float64 (trimSuffix $unit $text)) (float64 (index $units $unit)) -}}
{{- else -}}
0
{{- end -}}
{{- end -}}
