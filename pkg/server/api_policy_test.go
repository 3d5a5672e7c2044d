package server

import (
	"strings"
	"testing"
)

func TestGate(t *testing.T) {
	question := "/gate?repository=acme/api&environment=production&sha=" + strings.ToUpper(testSHA)
	runAPI(t, []apiCase{
		{
			name:   "with everything",
			token:  readToken,
			method: "GET",
			path:   question + "&actor=alice&ref=main&task=deploy",
			code:   200,
			called: "ask {Repository:acme/api Environment:production Ref:main SHA:" + testSHA + " Actor:alice Task:deploy}",
		},
		{
			name:   "without what is optional",
			token:  readToken,
			method: "GET",
			path:   question,
			code:   200,
			called: "ask {Repository:acme/api Environment:production Ref: SHA:" + testSHA + " Actor: Task:}",
		},
		{
			name:   "no sha",
			token:  readToken,
			method: "GET",
			path:   "/gate?repository=acme/api&environment=production",
			code:   400,
		},
		{
			name:   "short sha",
			token:  readToken,
			method: "GET",
			path:   "/gate?repository=acme/api&environment=production&sha=0123456",
			code:   400,
		},
		{
			name:   "null id",
			token:  readToken,
			method: "GET",
			path:   "/gate?repository=acme/api&environment=production&sha=" + strings.Repeat("0", 40),
			code:   400,
		},
		{
			name:   "no environment",
			token:  readToken,
			method: "GET",
			path:   "/gate?repository=acme/api&sha=" + testSHA,
			code:   400,
		},
		{
			name:   "repository without owner",
			token:  readToken,
			method: "GET",
			path:   "/gate?repository=api&environment=production&sha=" + testSHA,
			code:   400,
		},
		{name: "NUL", token: readToken, method: "GET", path: question + "&ref=a%00b", code: 400},
		{name: "misspelt parameter", token: readToken, method: "GET", path: question + "&enviroment=x", code: 400},
		{name: "parameter twice", token: readToken, method: "GET", path: question + "&sha=" + testSHA, code: 400},
	})
}

func TestDeploymentCommands(t *testing.T) {
	runAPI(t, []apiCase{
		{
			name:   "explain",
			token:  readToken,
			method: "GET",
			path:   "/deployments/42/explain",
			code:   200,
			called: "explain 42",
		},
		{
			name:   "approve",
			token:  deployToken,
			method: "POST",
			path:   "/deployments/42/approve",
			body:   `{"comment":"fine"}`,
			code:   200,
			called: "approve api:0::deployer:false 42 fine",
		},
		{
			name:   "approve hold",
			token:  behalfToken,
			method: "POST",
			path:   "/deployments/42/approve-hold",
			body:   `{"job":"go-live",` + aliceActor + `}`,
			code:   200,
			called: "approve hold api:1:alice:behalfer:false 42 go-live",
		},
		{
			name:   "approve hold, nothing named",
			token:  deployToken,
			method: "POST",
			path:   "/deployments/42/approve-hold",
			code:   200,
			called: "approve hold api:0::deployer:false 42 ",
		},
		{
			name:   "cancel",
			token:  deployToken,
			method: "POST",
			path:   "/deployments/42/cancel",
			body:   `{"reason":"wrong"}`,
			code:   202,
			called: "cancel api:0::deployer:false 42 wrong",
		},
		{
			name:   "force",
			token:  adminToken,
			method: "POST",
			path:   "/deployments/42/force",
			body:   `{"reason":"fire"}`,
			code:   202,
			called: "force api:0::adminer:true 42 fire",
		},
	})
}
