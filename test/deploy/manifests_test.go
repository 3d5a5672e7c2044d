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

// notObjects are files that Kubernetes does not read: kustomize generates objects from them.
var notObjects = []string{"kustomization.yaml", "routes.yaml"}

// TestManifests_Parse parses every YAML file of deploy/, and checks that those of Kubernetes have a kind and
// a name.
func TestManifests_Parse(t *testing.T) {
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
		t.Fatal("got no YAML file in deploy/")
	}
}

// environment returns the variables of a container.
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

// TestStatefulSet_OneSafePod checks the settings that make one pod with one file safe.
func TestStatefulSet_OneSafePod(t *testing.T) {
	set := document(t, "deploy/kubernetes/statefulset.yaml")
	pod := at(t, set, "spec", "template", "spec")
	container := at(t, pod, "containers", 0)
	env := environment(t, container)

	if got := at(t, set, "spec", "replicas"); got != uint64(1) {
		t.Errorf("replicas: got %v, want 1, which the embedded database allows", got)
	}
	if got := at(t, pod, "enableServiceLinks"); got != false {
		t.Errorf("enableServiceLinks: got %v, want false: it would set SERAPH_PORT and more", got)
	}
	if got := duration(t, env["SERAPH_SHUTDOWN_DELAY"]); got != 5*time.Second {
		t.Errorf("SERAPH_SHUTDOWN_DELAY: got %v, want 5s, in which the Service removes the pod", got)
	}

	got, want := seconds(t, at(t, pod, "terminationGracePeriodSeconds")), stopTime(t, env)
	if got < want {
		t.Errorf("terminationGracePeriodSeconds: got %v, want at least %v, which a stop can take", got, want)
	}

	for probe, path := range map[string]string{
		"startupProbe":   "/healthz",
		"livenessProbe":  "/healthz",
		"readinessProbe": "/readyz",
	} {
		t.Run(probe, func(t *testing.T) {
			if got := at(t, container, probe, "httpGet", "path"); got != path {
				t.Errorf("got %v, want %s", got, path)
			}
		})
	}

	start := at(t, container, "startupProbe")
	period, failures := seconds(t, at(t, start, "periodSeconds")), seconds(t, at(t, start, "failureThreshold"))
	if total := period * (failures / time.Second); total <= 30*time.Second {
		t.Errorf("startupProbe: got %v, want more than 30s, which a start can wait for the file lock", total)
	}
}

// stopTime returns the longest that a stop can take.
func stopTime(t *testing.T, env node) time.Duration {
	t.Helper()
	return duration(t, env["SERAPH_SHUTDOWN_DELAY"]) + duration(t, env["SERAPH_SHUTDOWN_GRACE"]) + closeTime
}

// TestReplicas_AlwaysOnePod checks that some pod always runs during a rollout, and that the pods differ from
// the StatefulSet's only in their database.
func TestReplicas_AlwaysOnePod(t *testing.T) {
	set := document(t, "deploy/kubernetes-postgres/deployment.yaml")
	if got, ok := at(t, set, "spec", "replicas").(uint64); !ok || got < 2 {
		t.Errorf("replicas: got %v, want at least 2", got)
	}
	if got := at(t, set, "spec", "strategy", "rollingUpdate", "maxUnavailable"); got != uint64(0) {
		t.Errorf("maxUnavailable: got %v, want 0, or webhooks are refused during a rollout", got)
	}

	budget := document(t, "deploy/kubernetes-postgres/poddisruptionbudget.yaml")
	if got := at(t, budget, "spec", "minAvailable"); got != uint64(1) {
		t.Errorf("minAvailable: got %v, want 1", got)
	}

	statefulSet := document(t, "deploy/kubernetes/statefulset.yaml")
	one := environment(t, at(t, statefulSet, "spec", "template", "spec", "containers", 0))
	many := environment(t, at(t, set, "spec", "template", "spec", "containers", 0))
	delete(one, "SERAPH_DATABASE_URL")
	delete(many, "SERAPH_DATABASE_URL_FILE")
	if diff := cmp.Diff(one, many); diff != "" {
		t.Errorf("the pods differ (- StatefulSet, + Deployment):\n%s", diff)
	}
}

// podSecurity has the security settings of a pod, by their path.
var podSecurity = map[string]struct {
	path []any
	want any
}{
	"user": {
		path: []any{"securityContext", "runAsNonRoot"},
		want: true,
	},
	"seccomp": {
		path: []any{"securityContext", "seccompProfile", "type"},
		want: "RuntimeDefault",
	},
	"token": {
		path: []any{"automountServiceAccountToken"},
		want: false,
	},
	"root file system": {
		path: []any{"containers", 0, "securityContext", "readOnlyRootFilesystem"},
		want: true,
	},
	"escalation": {
		path: []any{"containers", 0, "securityContext", "allowPrivilegeEscalation"},
		want: false,
	},
	"capabilities": {
		path: []any{"containers", 0, "securityContext", "capabilities", "drop", 0},
		want: "ALL",
	},
}

func TestPods_Confined(t *testing.T) {
	for _, manifest := range []string{
		"deploy/kubernetes/statefulset.yaml",
		"deploy/kubernetes-postgres/deployment.yaml",
	} {
		pod := at(t, document(t, manifest), "spec", "template", "spec")
		for name, c := range podSecurity {
			t.Run(filepath.Base(manifest)+": "+name, func(t *testing.T) {
				if got := at(t, pod, c.path...); got != c.want {
					t.Errorf("%v: got %v, want %v", c.path, got, c.want)
				}
			})
		}
	}
}

// TestStatefulSet_Volumes checks that each mount has its volume, and that the database is on the claimed one.
func TestStatefulSet_Volumes(t *testing.T) {
	set := document(t, "deploy/kubernetes/statefulset.yaml")
	pod := at(t, set, "spec", "template", "spec")
	claim := at(t, set, "spec", "volumeClaimTemplates", 0, "metadata", "name")
	known := []any{claim}
	volumes, _ := at(t, pod, "volumes").([]any)
	for _, volume := range volumes {
		known = append(known, at(t, volume, "name"))
	}

	database, _ := environment(t, at(t, pod, "containers", 0))["SERAPH_DATABASE_URL"].(string)
	onClaim := false
	mounts, _ := at(t, pod, "containers", 0, "volumeMounts").([]any)
	for _, mount := range mounts {
		name, path := at(t, mount, "name"), at(t, mount, "mountPath")
		if !slices.Contains(known, name) {
			t.Errorf("mount %v: got no such volume", name)
		}

		onClaim = onClaim || name == claim && strings.HasPrefix(database, "sqlite:"+path.(string)+"/")
	}

	if !onClaim {
		t.Errorf("database: got %s, want it on the volume %v, which outlives the pod", database, claim)
	}
}

// TestIngress_OpenPaths checks that only the paths of webhooks and of links are open.
func TestIngress_OpenPaths(t *testing.T) {
	ingress := document(t, "deploy/kubernetes/ingress.example.yaml")
	var open []string
	paths, _ := at(t, ingress, "spec", "rules", 0, "http", "paths").([]any)
	for _, path := range paths {
		open = append(open, at(t, path, "path").(string))
	}

	if want := []string{"/webhooks/", "/link/", "/login/callback", "/events"}; !slices.Equal(open, want) {
		t.Errorf("open paths: got %v, want %v", open, want)
	}
}

// TestCompose_StopTimeAndSecrets checks the confinement, the time to stop, and that each named secret exists.
func TestCompose_StopTimeAndSecrets(t *testing.T) {
	file := document(t, "deploy/compose.yaml")
	service := at(t, file, "services", "seraph")
	if at(t, service, "read_only") != true || at(t, service, "cap_drop", 0) != "ALL" ||
		at(t, service, "security_opt", 0) != "no-new-privileges:true" {
		t.Errorf("service: got %v, want read_only, cap_drop ALL and no-new-privileges", service)
	}

	env, _ := at(t, service, "environment").(node)
	if got, want := duration(t, at(t, service, "stop_grace_period")), stopTime(t, env); got < want {
		t.Errorf("stop_grace_period: got %v, want at least %v, which a stop can take", got, want)
	}

	for name, value := range env {
		secret, ok := strings.CutPrefix(asText(value), "/run/secrets/")
		if !ok {
			continue
		}

		at(t, file, "secrets", secret, "file")
		if granted, _ := at(t, service, "secrets").([]any); !slices.Contains(granted, any(secret)) {
			t.Errorf("secret of %s: got %s, want one that is granted to the service", name, secret)
		}
	}
}

// asText returns a string, or "" for anything else.
func asText(v any) string {
	s, _ := v.(string)
	return s
}

// TestSystemdUnit_StopTimeAndCredentials checks the time to stop, the confinement and the credentials of the
// systemd unit.
func TestSystemdUnit_StopTimeAndCredentials(t *testing.T) {
	settings := map[string][]string{}
	for line := range strings.Lines(read(t, "deploy/seraph.service")) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			settings[key] = append(settings[key], value)
		}
	}

	env := node{}
	for _, pair := range settings["Environment"] {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}

	if got, want := duration(t, settings["TimeoutStopSec"][0]), stopTime(t, env); got < want {
		t.Errorf("TimeoutStopSec: got %v, want at least %v, which a stop can take", got, want)
	}

	for key, want := range map[string]string{
		"DynamicUser":              "yes",
		"StateDirectory":           "seraph",
		"NoNewPrivileges":          "yes",
		"ProtectSystem":            "strict",
		"RestartPreventExitStatus": "2",
	} {
		t.Run(key, func(t *testing.T) {
			if !slices.Equal(settings[key], []string{want}) {
				t.Errorf("got %v, want %s", settings[key], want)
			}
		})
	}

	for name, value := range env {
		credential, ok := strings.CutPrefix(asText(value), "%d/")
		if ok && !slices.Contains(settings["LoadCredential"], credential+":/etc/seraph/secrets/"+credential) {
			t.Errorf("credential of %s: got %s, want one that the unit loads", name, credential)
		}
	}
}

// TestRestorePod_WritesAsSeraph checks that the pod that restores a backup mounts the claim of Seraph's pod at the same
// path, as the same user, and that no Service takes it for Seraph.
func TestRestorePod_WritesAsSeraph(t *testing.T) {
	set := document(t, "deploy/kubernetes/statefulset.yaml")
	pod := document(t, "deploy/kubernetes/restore.example.yaml")

	claim := asText(at(t, set, "spec", "volumeClaimTemplates", 0, "metadata", "name"))
	want := claim + "-" + asText(at(t, set, "metadata", "name")) + "-0"
	if got := at(t, pod, "spec", "volumes", 0, "persistentVolumeClaim", "claimName"); got != want {
		t.Errorf("claim: got %v, want %s", got, want)
	}

	mounts := at(t, set, "spec", "template", "spec", "containers", 0, "volumeMounts")
	if diff := cmp.Diff(at(t, mounts, 0), at(t, pod, "spec", "containers", 0, "volumeMounts", 0)); diff != "" {
		t.Errorf("the mounts differ (- Seraph's pod, + this one):\n%s", diff)
	}
	user := at(t, set, "spec", "template", "spec", "securityContext")
	if diff := cmp.Diff(user, at(t, pod, "spec", "securityContext")); diff != "" {
		t.Errorf("the users differ (- Seraph's pod, + this one):\n%s", diff)
	}
	if metadata, _ := at(t, pod, "metadata").(node); metadata["labels"] != nil {
		t.Errorf("labels: got %v, want none, by which a Service would take it for Seraph", metadata["labels"])
	}
}

// TestOperate_RestoresWhatTheManifestsMake checks that the steps of a restore name the volume, the pod and the files of
// the manifests.
func TestOperate_RestoresWhatTheManifestsMake(t *testing.T) {
	_, steps, _ := strings.Cut(read(t, "deploy/docs/operate.md"), "## Back up and restore")
	steps, _, _ = strings.Cut(steps, "## Monitor")

	compose := document(t, "deploy/compose.yaml")
	volume, path, _ := strings.Cut(asText(at(t, compose, "services", "seraph", "volumes", 0)), ":")
	database := strings.TrimPrefix(asText(at(t, compose, "services", "seraph", "environment", "SERAPH_DATABASE_URL")), "sqlite:")
	restore := document(t, "deploy/kubernetes/restore.example.yaml")

	for name, want := range map[string]string{
		"volume of Compose": asText(at(t, compose, "name")) + "_" + volume + ":/state",
		"backup of Compose": "seraph backup " + path + "/backup.db",
		"database":          "> " + database,
		"file of the pod":   "apply -f deploy/kubernetes/restore.example.yaml",
		"name of the pod":   "exec -i " + asText(at(t, restore, "metadata", "name")),
		"claim":             asText(at(t, restore, "spec", "volumes", 0, "persistentVolumeClaim", "claimName")),
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(steps, want) {
				t.Errorf("got no %q in the steps", want)
			}
		})
	}
}
