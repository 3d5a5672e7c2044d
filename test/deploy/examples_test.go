package deploy

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/route"
)

// TestExamples_TurnTheAPIOn wants the tokens of the API in every example: without them nobody can approve a deployment.
func TestExamples_TurnTheAPIOn(t *testing.T) {
	for _, file := range []string{
		"deploy/compose.yaml",
		"deploy/seraph.env",
		"deploy/seraph.service",
		"deploy/kubernetes/statefulset.yaml",
		"deploy/kubernetes-postgres/deployment.yaml",
	} {
		t.Run(file, func(t *testing.T) {
			if !regexp.MustCompile(`(?m)^[^#\n]*\bSERAPH_API_TOKENS_FILE\b`).MatchString(read(t, file)) {
				t.Error("SERAPH_API_TOKENS_FILE is missing")
			}
		})
	}
}

// TestKubernetes_SecretHasEveryKey wants each file of a secret that the pods read to be a key of the example.
func TestKubernetes_SecretHasEveryKey(t *testing.T) {
	keys, _ := at(t, document(t, "deploy/kubernetes/secret.example.yaml"), "stringData").(node)
	used := regexp.MustCompile(`value: /run/secrets/seraph/([a-z-]+)`)
	for _, manifest := range []string{"deploy/kubernetes/statefulset.yaml", "deploy/kubernetes-postgres/deployment.yaml"} {
		for _, match := range used.FindAllStringSubmatch(read(t, manifest), -1) {
			if _, ok := keys[match[1]]; !ok && match[1] != "database-url" { // which only PostgreSQL needs
				t.Errorf("%s reads %s, which secret.example.yaml does not have", manifest, match[1])
			}
		}
	}
}

// TestKubernetes_RoutesRollOut wants the routes in a generated ConfigMap, whose name changes with them: they are read
// at start only.
func TestKubernetes_RoutesRollOut(t *testing.T) {
	kustomization := document(t, "deploy/kubernetes/kustomization.yaml")
	if got := at(t, kustomization, "configMapGenerator", 0, "files", 0); got != "routes.yaml" {
		t.Errorf("got a ConfigMap of %v, want routes.yaml", got)
	}
	name := at(t, kustomization, "configMapGenerator", 0, "name")
	for _, manifest := range []string{"deploy/kubernetes/statefulset.yaml", "deploy/kubernetes-postgres/deployment.yaml"} {
		volumes := at(t, document(t, manifest), "spec", "template", "spec", "volumes")
		if got := at(t, volumes, 0, "configMap", "name"); got != name {
			t.Errorf("%s mounts %v, want %v", manifest, got, name)
		}
	}

	if _, err := route.Parse([]byte(read(t, "deploy/kubernetes/routes.yaml")), "routes.yaml", route.Options{}); err != nil {
		t.Error(err)
	}
}

// TestSystemd_CommandsReadTheServicesSecrets wants the unit and deploy/seraph.env to name the same secrets: the service
// reads a credential, and a command of root the file that it is loaded from.
func TestSystemd_CommandsReadTheServicesSecrets(t *testing.T) {
	var unit, file []string
	for _, match := range regexp.MustCompile(`(?m)^Environment=(SERAPH_\w+_FILE)=%d/(.+)$`).FindAllStringSubmatch(
		read(t, "deploy/seraph.service"), -1) {
		unit = append(unit, match[1]+" "+match[2])
	}
	for _, match := range regexp.MustCompile(`(?m)^(SERAPH_\w+_FILE)=/etc/seraph/secrets/(.+)$`).FindAllStringSubmatch(
		read(t, "deploy/seraph.env"), -1) {
		file = append(file, match[1]+" "+match[2])
	}
	if len(unit) == 0 || !slices.Equal(unit, file) {
		t.Errorf("got %q in the unit and %q in the file, want the same", unit, file)
	}
	if !strings.Contains(read(t, "deploy/seraph.service"), "serve --env-file /etc/seraph/seraph.env\n") {
		t.Error("the unit does not read /etc/seraph/seraph.env")
	}
}

// TestDockerfile_BuildsWithTheToolchainOfTheModule wants the image to be built with the Go that go.mod asks for, in
// which no vulnerability is known.
func TestDockerfile_BuildsWithTheToolchainOfTheModule(t *testing.T) {
	want := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindStringSubmatch(read(t, "go.mod"))
	got := regexp.MustCompile(`(?m)^ARG GO_VERSION=(\S+)$`).FindStringSubmatch(read(t, "deploy/Dockerfile"))
	if want == nil || got == nil || want[1] != got[1] {
		t.Errorf("got %q in the Dockerfile and %q in go.mod, want the same version", got, want)
	}
}
