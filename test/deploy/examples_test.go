package deploy

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/route"
)

// TestExamples_HaveAPITokens checks that every example sets the tokens of the API: without them nobody can
// approve a deployment.
func TestExamples_HaveAPITokens(t *testing.T) {
	for _, file := range []string{
		"deploy/compose.yaml",
		"deploy/seraph.env",
		"deploy/seraph.service",
		"deploy/kubernetes/statefulset.yaml",
		"deploy/kubernetes-postgres/deployment.yaml",
	} {
		t.Run(file, func(t *testing.T) {
			if !regexp.MustCompile(`(?m)^[^#\n]*\bSERAPH_API_TOKENS_FILE\b`).MatchString(read(t, file)) {
				t.Error("got no SERAPH_API_TOKENS_FILE")
			}
		})
	}
}

// TestKubernetes_SecretHasEveryKey checks that the example secret has a key for each file that the pods read.
func TestKubernetes_SecretHasEveryKey(t *testing.T) {
	keys, _ := at(t, document(t, "deploy/kubernetes/secret.example.yaml"), "stringData").(node)
	used := regexp.MustCompile(`value: /run/secrets/seraph/([a-z-]+)`)
	for _, manifest := range []string{"deploy/kubernetes/statefulset.yaml", "deploy/kubernetes-postgres/deployment.yaml"} {
		for _, match := range used.FindAllStringSubmatch(read(t, manifest), -1) {
			if _, ok := keys[match[1]]; !ok && match[1] != "database-url" { // only for PostgreSQL
				t.Errorf("%s reads %s, which secret.example.yaml does not have", manifest, match[1])
			}
		}
	}
}

// TestKubernetes_RoutesRollOut checks that the routes are in a generated ConfigMap, whose name changes with
// them: they are read only at the start of a pod.
func TestKubernetes_RoutesRollOut(t *testing.T) {
	kustomization := document(t, "deploy/kubernetes/kustomization.yaml")
	if got := at(t, kustomization, "configMapGenerator", 0, "files", 0); got != "routes.yaml" {
		t.Errorf("file of the ConfigMap: got %v, want routes.yaml", got)
	}

	name := at(t, kustomization, "configMapGenerator", 0, "name")
	for _, manifest := range []string{"deploy/kubernetes/statefulset.yaml", "deploy/kubernetes-postgres/deployment.yaml"} {
		volumes := at(t, document(t, manifest), "spec", "template", "spec", "volumes")
		if got := at(t, volumes, 0, "configMap", "name"); got != name {
			t.Errorf("ConfigMap of %s: got %v, want %v", manifest, got, name)
		}
	}

	routes := []byte(read(t, "deploy/kubernetes/routes.yaml"))
	if _, err := route.Parse(routes, "routes.yaml", route.Options{}); err != nil {
		t.Error(err)
	}
}

// TestKubernetes_ImageIsSetWhereThePodIs checks that each kustomization names the image of its own pods: what another
// one says of images does not reach them.
func TestKubernetes_ImageIsSetWhereThePodIs(t *testing.T) {
	for _, manifest := range []string{"deploy/kubernetes/statefulset.yaml", "deploy/kubernetes-postgres/deployment.yaml"} {
		t.Run(manifest, func(t *testing.T) {
			kustomization := document(t, path.Join(path.Dir(manifest), "kustomization.yaml"))
			resources, _ := at(t, kustomization, "resources").([]any)
			if !slices.Contains(resources, any(path.Base(manifest))) {
				t.Errorf("resources: got %v, want %s among them", resources, path.Base(manifest))
			}

			image := at(t, document(t, manifest), "spec", "template", "spec", "containers", 0, "image")
			name, _, _ := strings.Cut(asText(image), ":")
			if got := at(t, kustomization, "images", 0, "name"); got != name {
				t.Errorf("images: got %v, want %s, the one of the pod", got, name)
			}
		})
	}
}

// TestSystemdUnit_SameSecretsAsCommands checks that the unit and deploy/seraph.env name the same secrets: the
// service reads a credential, and a command run by root the file that it is loaded from.
func TestSystemdUnit_SameSecretsAsCommands(t *testing.T) {
	service := read(t, "deploy/seraph.service")
	inUnit := regexp.MustCompile(`(?m)^Environment=(SERAPH_\w+_FILE)=%d/(.+)$`)
	inFile := regexp.MustCompile(`(?m)^(SERAPH_\w+_FILE)=/etc/seraph/secrets/(.+)$`)

	var unit, file []string
	for _, match := range inUnit.FindAllStringSubmatch(service, -1) {
		unit = append(unit, match[1]+" "+match[2])
	}
	for _, match := range inFile.FindAllStringSubmatch(read(t, "deploy/seraph.env"), -1) {
		file = append(file, match[1]+" "+match[2])
	}

	if len(unit) == 0 || !slices.Equal(unit, file) {
		t.Errorf("got %q in the unit and %q in the file, want the same", unit, file)
	}
	if !strings.Contains(service, "serve --env-file /etc/seraph/seraph.env\n") {
		t.Error("got no --env-file /etc/seraph/seraph.env in the unit")
	}
}

// TestReload_ChecksTheRoutesOfTheService checks that a reload of the unit checks the file that the service reads,
// before it sends the signal.
func TestReload_ChecksTheRoutesOfTheService(t *testing.T) {
	file := regexp.MustCompile(`(?m)^SERAPH_ROUTES_FILE=(.+)$`).FindStringSubmatch(read(t, "deploy/seraph.env"))
	if file == nil {
		t.Fatal("got no SERAPH_ROUTES_FILE in seraph.env")
	}

	var got []string
	for _, line := range regexp.MustCompile(`(?m)^ExecReload=(.+)$`).FindAllStringSubmatch(read(t, "deploy/seraph.service"), -1) {
		got = append(got, line[1])
	}
	want := []string{
		"/usr/local/bin/seraph check --offline --routes " + file[1] + " --env-file /etc/seraph/seraph.env",
		"/bin/kill -s HUP $MAINPID",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestReload_ComposeMountsTheFolder checks that the routes file is part of a folder that is mounted: the container
// would keep the old content of a single file when another file takes its name.
func TestReload_ComposeMountsTheFolder(t *testing.T) {
	service := at(t, document(t, "deploy/compose.yaml"), "services", "seraph")
	file, _ := at(t, service, "environment", "SERAPH_ROUTES_FILE").(string)
	volumes, _ := at(t, service, "volumes").([]any)
	if want := any("./routes:" + path.Dir(file) + ":ro"); !slices.Contains(volumes, want) {
		t.Errorf("got volumes %v, want %s", volumes, want)
	}
}

// TestDockerfile_SameGoAsModule checks that the image is built with the Go version that go.mod names, in which no
// vulnerability is known.
func TestDockerfile_SameGoAsModule(t *testing.T) {
	want := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindStringSubmatch(read(t, "go.mod"))
	got := regexp.MustCompile(`(?m)^ARG GO_VERSION=(\S+)$`).FindStringSubmatch(read(t, "deploy/Dockerfile"))
	if want == nil || got == nil || want[1] != got[1] {
		t.Errorf("got %q in the Dockerfile and %q in go.mod, want the same version", got, want)
	}
}
