package policy

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// foreignChecks returns the checks that the pipelines of this service did not write. Without this a
// deploy job that failed would keep its commit from ever being deployed again.
func (f Facts) foreignChecks() []Check {
	return slices.DeleteFunc(slices.Clone(f.Checks.Value), func(c Check) bool {
		return WrittenBy(c, f.Pipelines.Value)
	})
}

// WrittenBy says whether one of the pipelines wrote the check: its details are at an address of the
// pipeline, or of one of its jobs as far as their numbers are known.
func WrittenBy(c Check, pipelines []deployment.Pipeline) bool {
	parts := pathOf(c, pipelines)
	return slices.ContainsFunc(pipelines, func(p deployment.Pipeline) bool {
		return isPipelinePath(parts, p) || isJobPath(parts, p) && slices.Contains(p.Jobs, jobNumber(parts))
	})
}

// NamesJobOf says whether the check's address has the number of a job in the project of one of the pipelines, and says
// nothing about the pipeline.
func NamesJobOf(c Check, pipelines []deployment.Pipeline) bool {
	parts := pathOf(c, pipelines)
	return slices.ContainsFunc(pipelines, func(p deployment.Pipeline) bool { return isJobPath(parts, p) })
}

// pathOf returns the parts of the path of the check's address; none where it identifies nothing.
func pathOf(c Check, pipelines []deployment.Pipeline) []string {
	if c.URL == "" || len(pipelines) == 0 {
		return nil
	}

	address, err := url.Parse(c.URL)
	if err != nil {
		return nil
	}

	return strings.Split(strings.Trim(address.Path, "/"), "/")
}

// isJobPath says whether the parts of a path are VCS/ORG/PROJECT/NUMBER, of a job in the project of a pipeline.
func isJobPath(parts []string, p deployment.Pipeline) bool {
	return len(parts) == 4 && p.Slug != "" && jobNumber(parts) > 0 &&
		strings.EqualFold(longSlug(strings.Join(parts[:3], "/")), longSlug(p.Slug))
}

// jobNumber is the number at the end of the path of a job; 0: there is none.
func jobNumber(parts []string) int64 {
	n, err := strconv.ParseInt(parts[len(parts)-1], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// isPipelinePath says whether the parts of a path lead to a pipeline or into it. CircleCI has two
// forms: pipelines/VCS/ORG/PROJECT/NUMBER/… and pipeline/ID/….
func isPipelinePath(parts []string, p deployment.Pipeline) bool {
	if i := slices.Index(parts, "pipeline"); i >= 0 && i+1 < len(parts) && p.ID != "" {
		return strings.EqualFold(parts[i+1], p.ID)
	}

	i := slices.Index(parts, "pipelines")
	if i < 0 || i+4 >= len(parts) || p.Number == 0 || p.Slug == "" {
		return false
	}

	slug := strings.Join(parts[i+1:i+4], "/")
	return parts[i+4] == strconv.FormatInt(p.Number, 10) && strings.EqualFold(longSlug(slug), longSlug(p.Slug))
}

// longSlug writes out the name of the version control system in a project's slug, which CircleCI
// writes in two ways.
func longSlug(slug string) string {
	vcs, project, _ := strings.Cut(slug, "/")
	switch vcs {
	case "gh":
		vcs = "github"
	case "bb":
		vcs = "bitbucket"
	}
	return vcs + "/" + project
}
