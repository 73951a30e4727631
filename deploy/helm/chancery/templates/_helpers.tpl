{{- define "chancery.name" -}}
{{- if contains "chancery" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-chancery" (.Release.Name | trunc 40 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "chancery.selector" -}}
app.kubernetes.io/name: chancery
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "chancery.labels" -}}
{{ include "chancery.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* A key in TOML. What JSON quotes TOML reads, too. */}}
{{- define "chancery.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . -}}{{ . }}{{- else -}}{{ toRawJson . }}{{- end -}}
{{- end -}}

{{/* A value in TOML. Helm's own toToml makes a float of every number of a values file. */}}
{{- define "chancery.value" -}}
{{- if kindIs "map" . -}}
{ {{ range $index, $key := keys . | sortAlpha }}{{ if $index }}, {{ end }}{{ include "chancery.key" $key }} = {{ include "chancery.value" (get $ $key) }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{ range $index, $value := . }}{{ if $index }}, {{ end }}{{ include "chancery.value" $value }}{{ end }}]
{{- else if kindIs "float64" . -}}
{{ int64 . }}
{{- else -}}
{{ toRawJson . }}
{{- end -}}
{{- end -}}

{{/* The lines of a table. */}}
{{- define "chancery.table" -}}
{{- range $key := keys . | sortAlpha }}
{{ include "chancery.key" $key }} = {{ include "chancery.value" (get $ $key) }}
{{- end -}}
{{- end -}}

{{- define "chancery.toml" -}}
url = {{ toRawJson .Values.url }}
organization = {{ toRawJson .Values.organization }}
data = "/var/lib/chancery/data"

[listen]
address = "0.0.0.0:8080"
metrics = "0.0.0.0:9090"
{{- if .Values.tls.secretName }}
tls = { certificate = "/run/tls/tls.crt", key = "/run/tls/tls.key" }
{{- end }}
{{- if .Values.database.url }}

[database]
url = {{ toRawJson .Values.database.url }}
{{- end }}

[ca]
issuers = "issuers.toml"
{{- include "chancery.table" .Values.config.ca }}

[log]
{{- include "chancery.table" .Values.config.log }}

[tsa]
{{- include "chancery.table" .Values.config.tsa }}

[trust]
{{- include "chancery.table" .Values.config.trust }}
{{- if .Values.config.events }}

[events]
{{- include "chancery.table" .Values.config.events }}
{{- end }}
{{ end -}}

{{- define "chancery.issuers" -}}
{{- range .Values.issuers }}
[[issuer]]
{{- include "chancery.table" . }}
{{ end -}}
{{- end -}}

{{/* What both containers are run with. */}}
{{- define "chancery.container" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- if or .Values.database.passwordSecret.name .Values.env }}
env:
  {{- if .Values.database.passwordSecret.name }}
  - name: PGPASSWORD
    valueFrom:
      secretKeyRef:
        name: {{ .Values.database.passwordSecret.name }}
        key: {{ .Values.database.passwordSecret.key }}
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
volumeMounts:
  # The data directory is below: a file system's own top is not empty.
  - name: data
    mountPath: /var/lib/chancery
  - name: config
    mountPath: /etc/chancery
    readOnly: true
  {{- if .Values.tls.secretName }}
  - name: tls
    mountPath: /run/tls
    readOnly: true
  {{- end }}
  {{- range $index, $name := .Values.secrets }}
  - name: secret-{{ $index }}
    mountPath: /run/secrets/{{ $name }}
    readOnly: true
  {{- end }}
{{- end -}}

{{/* The pod, which is the same in a Deployment and in a StatefulSet but for where the volume `data` comes from. */}}
{{- define "chancery.pod" -}}
metadata:
  labels:
    {{- include "chancery.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Issuers are read again when they change; for the rest the program must start anew.
    checksum/config: {{ include "chancery.toml" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "chancery.name" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
  enableServiceLinks: false
  # Longer than the program takes to answer what it has accepted.
  terminationGracePeriodSeconds: 45
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    # Keys are for their owner alone, and stay so.
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  initContainers:
    - name: init
      args: [init, --config, /etc/chancery/chancery.toml, --if-needed]
      {{- include "chancery.container" . | nindent 6 }}
  containers:
    - name: chancery
      args: [serve, --config, /etc/chancery/chancery.toml]
      {{- include "chancery.container" . | nindent 6 }}
      ports:
        - name: clients
          containerPort: 8080
        - name: metrics
          containerPort: 9090
      {{- $probe := dict "path" "/livez" "port" "clients" "scheme" (ternary "HTTPS" "HTTP" (ne .Values.tls.secretName "")) }}
      startupProbe:
        httpGet:
          {{- toYaml $probe | nindent 10 }}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet:
          {{- toYaml $probe | nindent 10 }}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # Not /readyz, which says no while a log takes no entries: this pod has every role, and what was logged must stay readable
      # then. Where a pod issues certificates or timestamps only, /readyz is right here.
      readinessProbe:
        httpGet:
          {{- toYaml $probe | nindent 10 }}
        periodSeconds: 5
        timeoutSeconds: 5
  volumes:
    - name: config
      configMap:
        name: {{ include "chancery.name" . }}
    {{- if .Values.tls.secretName }}
    - name: tls
      secret:
        secretName: {{ .Values.tls.secretName }}
        defaultMode: 0440
    {{- end }}
    {{- range $index, $name := .Values.secrets }}
    - name: secret-{{ $index }}
      secret:
        secretName: {{ $name }}
        defaultMode: 0440
    {{- end }}
    {{- if .Values.database.url }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ include "chancery.name" . }}
    {{- end }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
{{- end -}}

{{- define "chancery.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .Values.persistence.storageClass }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .Values.persistence.size }}
{{- end -}}
