package circleci

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// pipelineOf finds the pipeline of a call, or says why not.
func (s *Server) pipelineOf(c *call) (*pipeline, *answer) {
	p := s.byID[c.param("pipeline")]
	if p == nil {
		return nil, refuse(http.StatusNotFound, "Pipeline not found")
	}
	return p, nil
}

func (s *Server) getPipeline(c *call) *answer {
	p, a := s.pipelineOf(c)
	if a != nil {
		return a
	}
	return ok(p.view())
}

func (s *Server) getNumber(c *call) *answer {
	project, a := s.called(c)
	if a != nil {
		return a
	}

	number, err := strconv.ParseInt(c.param("number"), 10, 64)
	if err != nil {
		s.violate(c, "a pipeline's number is a number")
		return refuse(http.StatusBadRequest, "Invalid pipeline number")
	}

	for _, p := range s.pipelines {
		if p.project == project && p.number == number {
			return ok(p.view())
		}
	}

	return refuse(http.StatusNotFound, "Pipeline not found")
}

func (s *Server) listWorkflows(c *call) *answer {
	p, a := s.pipelineOf(c)
	if a != nil {
		return a
	}
	newestFirst := slices.Clone(p.workflows)
	slices.Reverse(newestFirst)
	return page(s, c, newestFirst, func(w *workflow) string { return w.id }, (*workflow).view)
}

// getValues shows pipeline values. Whether parameters are among them is not documented.
func (s *Server) getValues(c *call) *answer {
	p, a := s.pipelineOf(c)
	if a != nil {
		return a
	}

	values := object{
		"pipeline.id": p.id, "pipeline.number": p.number, "pipeline.project.git_url": p.project.url(),
		"pipeline.trigger_source": p.trigger, "pipeline.git.revision": p.revision,
	}

	if p.tag != "" {
		values["pipeline.git.tag"] = p.tag
	} else {
		values["pipeline.git.branch"] = p.branch
	}

	if s.valuesShow {
		for name, value := range p.params {
			values["pipeline.parameters."+name] = value
		}
	}

	return ok(values)
}

// getConfig shows the compiled config, with parameters in an environment as far as they are shown
// at all.
func (s *Server) getConfig(c *call) *answer {
	p, a := s.pipelineOf(c)
	if a != nil {
		return a
	}
	if p.project.configUnreadable {
		return refuse(http.StatusForbidden, "Permission denied")
	}

	source := "version: 2.1\njobs:\n  deploy:\n    docker:\n      - image: cimg/base:current\n    environment:\n"
	compiled := strings.Replace(source, "2.1", "2", 1)
	if p.state == "errored" {
		return ok(object{"source": source, "compiled": ""})
	}

	for _, name := range slices.Sorted(maps.Keys(p.params)) {
		source += fmt.Sprintf("      %s: << pipeline.parameters.%s >>\n", strings.ToUpper(name), name)
		if !s.configHide {
			compiled += fmt.Sprintf("      %s: %v\n", strings.ToUpper(name), p.params[name])
		}
	}

	return ok(object{"source": source, "compiled": compiled})
}

func (s *Server) listPipelines(c *call) *answer {
	project, a := s.called(c)
	if a != nil {
		return a
	}
	branch := c.r.URL.Query().Get("branch")
	return s.list(c, func(p *pipeline) bool {
		return p.project == project && !project.listsEmpty && (branch == "" || p.branch == branch)
	})
}

func (s *Server) listMine(c *call) *answer {
	project, a := s.called(c)
	if a != nil {
		return a
	}
	return s.list(c, func(p *pipeline) bool {
		return p.project == project && !project.listsEmpty && !project.mineEmpty && p.userID == s.options.UserID
	})
}

// list shows the pipelines that wanted is true of, newest first, as far as lists know them already.
func (s *Server) list(c *call, wanted func(*pipeline) bool) *answer {
	var found []*pipeline
	for _, p := range slices.Backward(s.pipelines) {
		if wanted(p) && s.now().Sub(p.created) >= s.options.ListLag {
			found = append(found, p)
		}
	}
	return page(s, c, found, func(p *pipeline) string { return p.id }, (*pipeline).view)
}

// workflowOf finds the workflow of a call, or says why not.
func (s *Server) workflowOf(c *call) (*workflow, *answer) {
	w := s.workflows[c.param("workflow")]
	if w == nil {
		return nil, refuse(http.StatusNotFound, "Workflow not found")
	}
	return w, nil
}

func (s *Server) getWorkflow(c *call) *answer {
	w, a := s.workflowOf(c)
	if a != nil {
		return a
	}
	return ok(w.view())
}

func (s *Server) listJobs(c *call) *answer {
	w, a := s.workflowOf(c)
	if a != nil {
		return a
	}

	return page(
		s,
		c,
		w.jobs(),
		func(o object) string { return fmt.Sprint(o["id"]) },
		func(o object) object { return o },
	)
}
