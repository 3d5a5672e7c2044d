package circleci

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// pipelineOf finds the pipeline that a call names, or returns the 404.
func (s *Server) pipelineOf(c *call) (*pipeline, *response) {
	p := s.byID[c.param("pipeline")]
	if p == nil {
		return nil, errorResponse(http.StatusNotFound, "Pipeline not found")
	}
	return p, nil
}

func (s *Server) getPipeline(c *call) *response {
	p, resp := s.pipelineOf(c)
	if resp != nil {
		return resp
	}
	return ok(p.view())
}

func (s *Server) getNumber(c *call) *response {
	project, resp := s.projectOf(c)
	if resp != nil {
		return resp
	}

	number, err := strconv.ParseInt(c.param("number"), 10, 64)
	if err != nil {
		s.reportViolation(c, "the pipeline number is not a number")
		return errorResponse(http.StatusBadRequest, "Invalid pipeline number")
	}

	for _, p := range s.pipelines {
		if p.project == project && p.number == number {
			return ok(p.view())
		}
	}

	return errorResponse(http.StatusNotFound, "Pipeline not found")
}

func (s *Server) listWorkflows(c *call) *response {
	p, resp := s.pipelineOf(c)
	if resp != nil {
		return resp
	}
	newestFirst := slices.Clone(p.workflows)
	slices.Reverse(newestFirst)
	return paginate(s, c, newestFirst, func(w *workflow) string { return w.id }, (*workflow).view)
}

// getValues shows a pipeline's values. CircleCI does not document whether parameters are among
// them.
func (s *Server) getValues(c *call) *response {
	p, resp := s.pipelineOf(c)
	if resp != nil {
		return resp
	}

	values := object{
		"pipeline.id":              p.id,
		"pipeline.number":          p.number,
		"pipeline.project.git_url": p.project.url(),
		"pipeline.trigger_source":  p.trigger,
		"pipeline.git.revision":    p.revision,
	}

	if p.tag != "" {
		values["pipeline.git.tag"] = p.tag
	} else {
		values["pipeline.git.branch"] = p.branch
	}

	if s.valuesShowParameters {
		for name, value := range p.params {
			values["pipeline.parameters."+name] = value
		}
	}

	return ok(values)
}

// getConfig shows the compiled config. Parameters appear as environment variables, unless
// ConfigShowsParameters(false) hides them.
func (s *Server) getConfig(c *call) *response {
	p, resp := s.pipelineOf(c)
	if resp != nil {
		return resp
	}
	if p.project.configUnreadable {
		return errorResponse(http.StatusForbidden, "Permission denied")
	}

	source := "version: 2.1\njobs:\n  deploy:\n    docker:\n      - image: cimg/base:current\n    environment:\n"
	var compiled strings.Builder
	compiled.WriteString(strings.Replace(source, "2.1", "2", 1))
	if p.state == "errored" {
		return ok(object{"source": source, "compiled": ""})
	}

	for _, name := range slices.Sorted(maps.Keys(p.params)) {
		source += fmt.Sprintf("      %s: << pipeline.parameters.%s >>\n", strings.ToUpper(name), name)
		if !s.configHidesParameters {
			compiled.WriteString(fmt.Sprintf("      %s: %v\n", strings.ToUpper(name), p.params[name]))
		}
	}

	return ok(object{"source": source, "compiled": compiled.String()})
}

func (s *Server) listPipelines(c *call) *response {
	project, resp := s.projectOf(c)
	if resp != nil {
		return resp
	}
	branch := c.r.URL.Query().Get("branch")
	return s.list(c, func(p *pipeline) bool {
		return p.project == project && !project.listsEmpty && (branch == "" || p.branch == branch)
	})
}

func (s *Server) listMine(c *call) *response {
	project, resp := s.projectOf(c)
	if resp != nil {
		return resp
	}
	return s.list(c, func(p *pipeline) bool {
		return p.project == project && !project.listsEmpty && !project.mineEmpty && p.userID == s.options.UserID
	})
}

// list shows the pipelines that match, newest first, without those that are younger than
// Options.ListLag.
func (s *Server) list(c *call, matches func(*pipeline) bool) *response {
	var found []*pipeline
	for _, p := range slices.Backward(s.pipelines) {
		if matches(p) && s.now().Sub(p.created) >= s.options.ListLag {
			found = append(found, p)
		}
	}
	return paginate(s, c, found, func(p *pipeline) string { return p.id }, (*pipeline).view)
}

// workflowOf finds the workflow that a call names, or returns the 404.
func (s *Server) workflowOf(c *call) (*workflow, *response) {
	w := s.workflows[c.param("workflow")]
	if w == nil {
		return nil, errorResponse(http.StatusNotFound, "Workflow not found")
	}
	return w, nil
}

func (s *Server) getWorkflow(c *call) *response {
	w, resp := s.workflowOf(c)
	if resp != nil {
		return resp
	}
	return ok(w.view())
}

func (s *Server) listJobs(c *call) *response {
	w, resp := s.workflowOf(c)
	if resp != nil {
		return resp
	}

	return paginate(
		s,
		c,
		w.jobs(),
		func(o object) string { return fmt.Sprint(o["id"]) },
		func(o object) object { return o },
	)
}
