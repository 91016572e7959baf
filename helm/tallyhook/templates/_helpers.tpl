{{/* Names, labels, and what the pods of all kinds share. */}}

{{- define "tallyhook.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Short enough for a suffix and a pod's number. */}}
{{- define "tallyhook.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "tallyhook.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "tallyhook.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "tallyhook.selector" -}}
app.kubernetes.io/name: {{ include "tallyhook.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tallyhook.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "tallyhook.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "tallyhook.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "tallyhook.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "tallyhook.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* The variable that carries a secret of a source. */}}
{{- define "tallyhook.sourceVariable" -}}
{{- printf "SOURCE_%s_SECRET_%d" (upper .name) (int .number) }}
{{- end }}

{{/* tallyhook.toml: the sources, then what the values add. Lists of texts are the same in JSON. */}}
{{- define "tallyhook.config" -}}
{{- range $source := .Values.sources }}
[sources.{{ $source.name }}]
platform = {{ $source.platform | quote }}
shops = {{ default (list "*") $source.shops | toJson }}
{{- $references := list }}
{{- range $number, $key := $source.secretKeys }}
{{- $variable := include "tallyhook.sourceVariable" (dict "name" $source.name "number" $number) }}
{{- $references = append $references (printf "env:%s" $variable) }}
{{- end }}
secrets = {{ $references | toJson }}
{{ end }}
{{- with .Values.config }}
{{ . }}
{{- end }}
{{- end }}

{{/* A pod of another configuration is another pod. */}}
{{- define "tallyhook.checksum" -}}
checksum/config: {{ include "tallyhook.config" . | sha256sum }}
{{- end }}

{{- define "tallyhook.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "tallyhook.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "tallyhook.secretVariable" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}

{{/* Of every container: where its files are, and what the values add. */}}
{{- define "tallyhook.env" -}}
- name: TALLYHOOK_CONFIG
  value: /etc/tallyhook/tallyhook.toml
- name: TALLYHOOK_DATA__DIR
  value: /data
- name: TALLYHOOK_LOG__PARTITIONS
  value: {{ int .Values.partitions | quote }}
{{- range .Values.secretEnv }}
{{ include "tallyhook.secretVariable" . }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of every process that listens. */}}
{{- define "tallyhook.adminEnv" -}}
- name: TALLYHOOK_ADMIN__LISTEN
  value: 0.0.0.0:8081
{{ include "tallyhook.secretVariable" (dict "name" "TALLYHOOK_ADMIN__TOKEN" "secret" .Values.secret.name "key" .Values.secret.adminTokenKey) }}
{{ include "tallyhook.keyEnv" . }}
{{- end }}

{{/* Of everything that speaks of customers. */}}
{{- define "tallyhook.keyEnv" -}}
{{ include "tallyhook.secretVariable" (dict "name" "TALLYHOOK_PRIVACY__PSEUDONYM_KEY" "secret" .Values.secret.name "key" .Values.secret.pseudonymKeyKey) }}
{{- end }}

{{/* Of a receiver: nobody else needs the secrets that webhooks are signed with. */}}
{{- define "tallyhook.publicEnv" -}}
- name: TALLYHOOK_PUBLIC__LISTEN
  value: 0.0.0.0:8080
{{- range $source := .Values.sources }}
{{- range $number, $key := $source.secretKeys }}
{{ include "tallyhook.secretVariable" (dict "name" (include "tallyhook.sourceVariable" (dict "name" $source.name "number" $number)) "secret" $.Values.secret.name "key" $key) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "tallyhook.kafkaEnv" -}}
- name: TALLYHOOK_KAFKA__BROKERS
  value: {{ join "," .Values.kafka.brokers | quote }}
- name: TALLYHOOK_KAFKA__REPLICATION
  value: {{ int .Values.kafka.replication | quote }}
- name: TALLYHOOK_KAFKA__ALLOW_UNSAFE
  value: {{ .Values.kafka.allowUnsafe | quote }}
{{- if .Values.kafka.tls }}
- name: TALLYHOOK_KAFKA__TLS
  value: "true"
{{- if .Values.kafka.tlsCaKey }}
- name: TALLYHOOK_KAFKA__TLS_CA
  value: /etc/tallyhook-authorities/kafka.pem
{{- end }}
{{- end }}
{{- with .Values.kafka.saslMechanism }}
- name: TALLYHOOK_KAFKA__SASL_MECHANISM
  value: {{ . }}
{{ include "tallyhook.secretVariable" (dict "name" "TALLYHOOK_KAFKA__SASL_USERNAME" "secret" $.Values.secret.name "key" $.Values.kafka.usernameKey) }}
{{ include "tallyhook.secretVariable" (dict "name" "TALLYHOOK_KAFKA__SASL_PASSWORD" "secret" $.Values.secret.name "key" $.Values.kafka.passwordKey) }}
{{- end }}
{{- end }}

{{- define "tallyhook.redisEnv" -}}
{{- if .Values.redis.url }}
- name: TALLYHOOK_REDIS__URL
  value: {{ .Values.redis.url | quote }}
{{- else }}
{{ include "tallyhook.secretVariable" (dict "name" "TALLYHOOK_REDIS__URL" "secret" .Values.secret.name "key" .Values.redis.urlKey) }}
{{- end }}
{{- if .Values.redis.tlsCaKey }}
- name: TALLYHOOK_REDIS__TLS_CA
  value: /etc/tallyhook-authorities/redis.pem
{{- end }}
{{- if .Values.snapshots.enabled }}
- name: TALLYHOOK_SNAPSHOTS__DIR
  value: /snapshots
- name: TALLYHOOK_SNAPSHOTS__KEEP
  value: {{ int .Values.snapshots.keep | quote }}
{{- end }}
{{- end }}

{{- define "tallyhook.mounts" -}}
- name: config
  mountPath: /etc/tallyhook
  readOnly: true
- name: data
  mountPath: /data
- name: tmp
  mountPath: /tmp
{{- if include "tallyhook.authorities" . }}
- name: authorities
  mountPath: /etc/tallyhook-authorities
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Beside the data. */}}
{{- define "tallyhook.volumes" -}}
- name: config
  configMap:
    name: {{ include "tallyhook.fullname" . }}
{{ include "tallyhook.scratchVolumes" . }}
{{- end }}

{{/* Whether servers are checked against authorities of the Secret. */}}
{{- define "tallyhook.authorities" -}}
{{- if eq .Values.mode "distributed" }}
{{- or (and .Values.kafka.tls .Values.kafka.tlsCaKey) .Values.redis.tlsCaKey }}
{{- end }}
{{- end }}

{{- define "tallyhook.scratchVolumes" -}}
- name: tmp
  emptyDir: {}
{{- if include "tallyhook.authorities" . }}
- name: authorities
  secret:
    secretName: {{ .Values.secret.name }}
    items:
      {{- if and .Values.kafka.tls .Values.kafka.tlsCaKey }}
      - {key: {{ .Values.kafka.tlsCaKey }}, path: kafka.pem}
      {{- end }}
      {{- if .Values.redis.tlsCaKey }}
      - {key: {{ .Values.redis.tlsCaKey }}, path: redis.pem}
      {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Alive as long as it answers; ready once log or Kafka, and the store, answer it. */}}
{{- define "tallyhook.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}

{{/* Load balancers learn of the end before the listener closes; the program itself takes ten seconds
     at most, and some are left over. */}}
{{- define "tallyhook.lifecycle" -}}
{{- if .Values.drainSeconds }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ int .Values.drainSeconds }}
{{- end }}
{{- end }}

{{- define "tallyhook.grace" -}}
{{- add (int .Values.drainSeconds) 20 }}
{{- end }}

{{- define "tallyhook.claim" -}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: data
    {{- with .annotations }}
    annotations: {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    accessModes: {{- toYaml .accessModes | nindent 6 }}
    {{- with .storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ .size }}
{{- end }}

{{/* What is around the container: for `.root`, the chart's context, `.values` of the component and
     its name. */}}
{{- define "tallyhook.pod" -}}
serviceAccountName: {{ include "tallyhook.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "tallyhook.grace" .root }}
securityContext: {{- include "tallyhook.podSecurity" .root | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .values.topologySpread }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "tallyhook.selector" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
{{- end }}
{{- end }}

{{- define "tallyhook.podMetadata" -}}
labels:
  {{- include "tallyhook.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  {{- include "tallyhook.checksum" .root | nindent 2 }}
  {{- with .values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
