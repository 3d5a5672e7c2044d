package control

import (
	"fmt"
	"strings"
)

// appProject is a project of CircleCI's GitHub App. Its slug does not contain its repository.
type appProject struct {
	slug       string // circleci/ORGANIZATION/PROJECT
	repository string
	definition string // id of its pipeline definition
}

// parseAppProjects reads a comma-separated list of SLUG=OWNER/NAME@DEFINITION.
func parseAppProjects(text string) ([]appProject, error) {
	var all []appProject
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}

		slug, rest, _ := strings.Cut(item, "=")
		repository, definition, found := strings.Cut(rest, "@")
		if !found || strings.Count(slug, "/") != 2 || strings.Count(repository, "/") != 1 {
			return nil, fmt.Errorf("app-projects: %q is not SLUG=OWNER/NAME@DEFINITION", item)
		}

		all = append(all, appProject{slug: slug, repository: repository, definition: definition})
	}

	return all, nil
}

// projectOf returns the slug of the project of a repository.
func projectOf(all []appProject, repository string) string {
	for _, p := range all {
		if strings.EqualFold(p.repository, repository) {
			return p.slug
		}
	}
	return "gh/" + repository
}

// repositoryOf returns the repository of a project.
func repositoryOf(all []appProject, slug string) string {
	for _, p := range all {
		if p.slug == slug {
			return p.repository
		}
	}
	return strings.TrimPrefix(slug, "gh/")
}
