package deploy

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// notObjects are files that Kubernetes does not read: kustomize makes objects of them.
var notObjects = []string{"kustomization.yaml", "routes.yaml"}

// TestYAML parses every YAML file of deploy/, and wants that Kubernetes' have a kind and a name.
func TestYAML(t *testing.T) {
	count := 0
	err := filepath.WalkDir(filepath.Join(root, "deploy"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}

		count++
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}

		for _, doc := range documents(t, name, read(t, name)) {
			if strings.Contains(name, "kubernetes") && !slices.Contains(notObjects, entry.Name()) {
				at(t, doc, "apiVersion")
				at(t, doc, "kind")
				at(t, doc, "metadata", "name")
			}
		}

		return nil
	})

	if err != nil {
		t.Fatal(err)
	}
	if count == 0 {
		t.Fatal("found no YAML file in deploy/")
	}
}

// environment returns the container's variables of the StatefulSet.
func environment(t *testing.T, container any) node {
	t.Helper()
	all := node{}
	list, _ := at(t, container, "env").([]any)
	for _, item := range list {
		name, _ := at(t, item, "name").(string)
		all[name] = at(t, item, "value")
	}
	return all
}

// TestStatefulSet holds what keeps one pod with one file safe.
func TestStatefulSet(t *testing.T) {
	set := document(t, "deploy/kubernetes/statefulset.yaml")
	pod := at(t, set, "spec", "template", "spec")
	container := at(t, pod, "containers", 0)
	env := environment(t, container)

	if got := at(t, set, "spec", "replicas"); got != uint64(1) {
		t.Errorf("replicas is %v; the embedded database allows one", got)
	}
	if at(t, pod, "enableServiceLinks") != false {
		t.Error("service links would set SERAPH_PORT and more")
	}
	if delay := duration(t, env["SERAPH_SHUTDOWN_DELAY"]); delay != 5*time.Second {
		t.Errorf("SHUTDOWN_DELAY is %v, want 5s: the Service must have time to forget the pod", delay)
	}

	need := duration(t, env["SERAPH_SHUTDOWN_DELAY"]) + duration(t, env["SERAPH_SHUTDOWN_GRACE"]) + closing
	if have := seconds(t, at(t, pod, "terminationGracePeriodSeconds")); have < need {
		t.Errorf("terminationGracePeriodSeconds is %v, a stop may take %v", have, need)
	}

	for probe, path := range map[string]string{
		"startupProbe":   "/healthz",
		"livenessProbe":  "/healthz",
		"readinessProbe": "/readyz",
	} {
		if got := at(t, container, probe, "httpGet", "path"); got != path {
			t.Errorf("%s asks %v, want %s", probe, got, path)
		}
	}

	start := at(t, container, "startupProbe")
	patience := seconds(
		t,
		at(t, start, "periodSeconds"),
	) * time.Duration(
		seconds(t, at(t, start, "failureThreshold"))/time.Second,
	)

	if patience <= 30*time.Second {
		t.Errorf("the startup probe gives up after %v, but a start may wait 30s for the file lock", patience)
	}
}

// TestReplicas wants that some pod is always there, and that it is the same pod but for its
// database.
func TestReplicas(t *testing.T) {
	set := document(t, "deploy/kubernetes-postgres/deployment.yaml")
	if n, ok := at(t, set, "spec", "replicas").(uint64); !ok || n < 2 {
		t.Errorf("replicas is %v, want 2 or more", n)
	}
	if got := at(t, set, "spec", "strategy", "rollingUpdate", "maxUnavailable"); got != uint64(0) {
		t.Errorf("maxUnavailable is %v: webhooks would be refused while a new version rolls out", got)
	}

	if got := at(t, document(t, "deploy/kubernetes-postgres/poddisruptionbudget.yaml"), "spec", "minAvailable"); got != uint64(
		1,
	) {
		t.Errorf("minAvailable is %v, want 1", got)
	}

	one := environment(
		t,
		at(t, document(t, "deploy/kubernetes/statefulset.yaml"), "spec", "template", "spec", "containers", 0),
	)

	many := environment(t, at(t, set, "spec", "template", "spec", "containers", 0))
	delete(one, "SERAPH_DATABASE_URL")
	delete(many, "SERAPH_DATABASE_URL_FILE")
	if diff := cmp.Diff(one, many); diff != "" {
		t.Errorf("the pods differ (- StatefulSet, + Deployment):\n%s", diff)
	}
}

// TestPodIsConfined holds the security settings of the pods.
func TestPodIsConfined(t *testing.T) {
	confined(t, "deploy/kubernetes/statefulset.yaml")
	confined(t, "deploy/kubernetes-postgres/deployment.yaml")
}

func confined(t *testing.T, manifest string) {
	t.Helper()
	pod := at(t, document(t, manifest), "spec", "template", "spec")
	want := map[string]struct {
		way  []any
		want any
	}{
		"user":       {[]any{"securityContext", "runAsNonRoot"}, true},
		"seccomp":    {[]any{"securityContext", "seccompProfile", "type"}, "RuntimeDefault"},
		"token":      {[]any{"automountServiceAccountToken"}, false},
		"root FS":    {[]any{"containers", 0, "securityContext", "readOnlyRootFilesystem"}, true},
		"escalation": {[]any{"containers", 0, "securityContext", "allowPrivilegeEscalation"}, false},
		"abilities":  {[]any{"containers", 0, "securityContext", "capabilities", "drop", 0}, "ALL"},
	}

	for name, c := range want {
		if got := at(t, pod, c.way...); got != c.want {
			t.Errorf("%s: %s: %v is %v, want %v", manifest, name, c.way, got, c.want)
		}
	}
}

// TestVolumes wants that each mount has its volume, and that the database lies on the claimed one.
func TestVolumes(t *testing.T) {
	set := document(t, "deploy/kubernetes/statefulset.yaml")
	pod := at(t, set, "spec", "template", "spec")
	claim := at(t, set, "spec", "volumeClaimTemplates", 0, "metadata", "name")
	known := []any{claim}
	volumes, _ := at(t, pod, "volumes").([]any)
	for _, volume := range volumes {
		known = append(known, at(t, volume, "name"))
	}

	database, _ := environment(t, at(t, pod, "containers", 0))["SERAPH_DATABASE_URL"].(string)
	kept := false
	mounts, _ := at(t, pod, "containers", 0, "volumeMounts").([]any)
	for _, mount := range mounts {
		name, path := at(t, mount, "name"), at(t, mount, "mountPath")
		if !slices.Contains(known, name) {
			t.Errorf("%v is mounted, but there is no such volume", name)
		}

		kept = kept || name == claim && strings.HasPrefix(database, "sqlite:"+path.(string)+"/")
	}

	if !kept {
		t.Errorf("%s is not on the volume %v: it would be gone with the pod", database, claim)
	}
}

// TestIngress wants that nothing but GitHub's and CircleCI's paths is open.
func TestIngress(t *testing.T) {
	ingress := document(t, "deploy/kubernetes/ingress.example.yaml")
	var open []string
	paths, _ := at(t, ingress, "spec", "rules", 0, "http", "paths").([]any)
	for _, path := range paths {
		open = append(open, at(t, path, "path").(string))
	}

	if want := []string{"/webhooks/", "/events"}; !slices.Equal(open, want) {
		t.Errorf("the ingress opens %v, want %v", open, want)
	}
}

// TestCompose holds the confinement, the time to stop, and that each secret named exists.
func TestCompose(t *testing.T) {
	file := document(t, "deploy/compose.yaml")
	service := at(t, file, "services", "seraph")
	if at(t, service, "read_only") != true || at(t, service, "cap_drop", 0) != "ALL" ||
		at(t, service, "security_opt", 0) != "no-new-privileges:true" {
		t.Error("the service is not confined: read_only, cap_drop ALL, no-new-privileges")
	}

	env, _ := at(t, service, "environment").(node)
	need := duration(t, env["SERAPH_SHUTDOWN_DELAY"]) + duration(t, env["SERAPH_SHUTDOWN_GRACE"]) + closing
	if have := duration(t, at(t, service, "stop_grace_period")); have < need {
		t.Errorf("stop_grace_period is %v, a stop may take %v", have, need)
	}

	for name, value := range env {
		secret, ok := strings.CutPrefix(asText(value), "/run/secrets/")
		if !ok {
			continue
		}

		at(t, file, "secrets", secret, "file")
		if granted, _ := at(t, service, "secrets").([]any); !slices.Contains(granted, any(secret)) {
			t.Errorf("%s points to the secret %s, which the service is not given", name, secret)
		}
	}
}

// asText returns a string, or "" for anything else.
func asText(v any) string {
	s, _ := v.(string)
	return s
}

// TestUnit holds the systemd unit's time to stop, its confinement, and its credentials.
func TestUnit(t *testing.T) {
	settings := map[string][]string{}
	for line := range strings.Lines(read(t, "deploy/seraph.service")) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			settings[key] = append(settings[key], value)
		}
	}

	env := map[string]string{}
	for _, pair := range settings["Environment"] {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}

	need := duration(t, env["SERAPH_SHUTDOWN_DELAY"]) + duration(t, env["SERAPH_SHUTDOWN_GRACE"]) + closing
	if have := duration(t, settings["TimeoutStopSec"][0]); have < need {
		t.Errorf("TimeoutStopSec is %v, a stop may take %v", have, need)
	}

	for key, want := range map[string]string{"DynamicUser": "yes", "StateDirectory": "seraph", "NoNewPrivileges": "yes",
		"ProtectSystem": "strict", "RestartPreventExitStatus": "2"} {
		if !slices.Equal(settings[key], []string{want}) {
			t.Errorf("%s is %v, want %s", key, settings[key], want)
		}
	}

	for name, value := range env {
		credential, ok := strings.CutPrefix(value, "%d/")
		if ok && !slices.Contains(settings["LoadCredential"], credential+":/etc/seraph/secrets/"+credential) {
			t.Errorf("%s points to the credential %s, which is not loaded", name, credential)
		}
	}
}
