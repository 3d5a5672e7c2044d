package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// maxOutput bounds what one template may render, in bytes.
const maxOutput = 64 << 10

var errOutputTooLong = errors.New("the template renders more than 64 KiB")

// templateData is what templates see.
type templateData struct {
	ID          int64
	Key         string
	SHA         string
	Ref         string
	Task        string
	Environment string
	Repository  string
	Owner       string
	Name        string
	Creator     string
	Description string
	Payload     jsonObject
	PayloadText string
}

// templateFields are the names of the fields of templateData.
var templateFields = []string{
	"ID",
	"Key",
	"SHA",
	"Ref",
	"Task",
	"Environment",
	"Repository",
	"Owner",
	"Name",
	"Creator",
	"Description",
	"Payload",
	"PayloadText",
}

func newTemplateData(req deployment.Request, key string) templateData {
	payload, text := readPayload(req.Payload)
	return templateData{
		ID:          req.ID,
		Key:         key,
		SHA:         req.SHA,
		Ref:         req.Ref,
		Task:        req.Task,
		Environment: req.Environment,
		Repository:  req.Repository.FullName(),
		Owner:       req.Repository.Owner,
		Name:        req.Repository.Name,
		Creator:     req.Creator.Login,
		Description: req.Description,
		Payload:     payload,
		PayloadText: text,
	}
}

// textTemplate is a template of the routes file that was checked.
type textTemplate struct {
	template      *template.Template
	fields        []string // the fields of templateData that it names
	mayUsePayload bool
	literal       bool // it is plain text, the same for every deployment
}

// parseTemplate parses a template, refuses fields that templateData does not have, and renders it
// once with no data to see that it works.
func parseTemplate(source string) (*textTemplate, error) {
	parsed, err := template.New("").Funcs(template.FuncMap{
		payloadFunc:      func(...string) any { return "" },
		payloadItemsFunc: func(...string) any { return nil },
		printedFunc:      printed,
		hostPartFunc:     hostPart,
		pathPartFunc:     pathPart,
		queryPartFunc:    queryPart,
	}).Parse(source)
	if err != nil {
		return nil, templateError(err)
	}

	t := &textTemplate{
		template:      parsed,
		mayUsePayload: strings.Contains(strings.ToLower(source), "payload"),
		literal:       !strings.Contains(source, "{{"),
	}
	if parsed.Tree == nil {
		return t, nil
	}

	rewritten := rewrite(parsed.Root)
	if len(parsed.Templates()) > 1 || rewritten.callsTemplate {
		return nil, errors.New("define, block and template are not supported: write the text out")
	}

	t.fields = rewritten.fields
	known := func(field string) bool { return slices.Contains(templateFields, field) }
	unknown := slices.IndexFunc(t.fields, func(field string) bool { return !known(field) })
	if unknown >= 0 {
		known := strings.Join(templateFields, " .")
		return nil, fmt.Errorf("unknown field .%s; known are .%s", t.fields[unknown], known)
	}

	if _, err := t.render(newTemplateData(deployment.Request{}, "")); err != nil {
		return nil, err
	}

	return t, nil
}

func (t *textTemplate) usesField(name string) bool { return slices.Contains(t.fields, name) }

// render runs the template. Its errors show no value of the data.
func (t *textTemplate) render(data templateData) (string, error) {
	runnable, err := t.withPayload(data.Payload)
	if err != nil {
		return "", err
	}

	out := &limitedBuffer{}
	err = runnable.Execute(out, data)
	switch {
	case errors.Is(err, errOutputTooLong):
		return "", errOutputTooLong
	case err != nil:
		return "", templateError(err)
	}

	return out.String(), nil
}

// withPayload returns the template with functions that look up keys of a payload. A template that
// does not use the payload is returned as it is, because the copy costs time.
func (t *textTemplate) withPayload(payload jsonObject) (*template.Template, error) {
	if !t.mayUsePayload {
		return t.template, nil
	}

	copied, err := t.template.Clone()
	if err != nil {
		return nil, err
	}

	return copied.Funcs(template.FuncMap{
		payloadFunc:      func(keys ...string) any { return payload.lookup(keys) },
		payloadItemsFunc: func(keys ...string) any { return rangeable(payload.lookup(keys)) },
	}), nil
}

// templateError makes an error of text/template fit to be shown: without the prefix that names no
// file, and without values of the deployment.
func templateError(err error) error {
	var failed template.ExecError
	if errors.As(err, &failed) {
		return errors.New("the template does not fit this deployment (a field is missing or has another type)")
	}

	message := strings.TrimPrefix(err.Error(), "template: ")
	if i := strings.Index(message, ": "); i >= 0 && i < 12 {
		message = message[i+2:]
	}

	return errors.New(message)
}

// limitedBuffer is a buffer that takes at most maxOutput bytes.
type limitedBuffer struct{ strings.Builder }

// Write implements io.Writer.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, errOutputTooLong
	}
	return b.Builder.Write(p)
}
