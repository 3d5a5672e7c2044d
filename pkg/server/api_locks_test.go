package server

import "testing"

func TestTakeLock(t *testing.T) {
	runAPI(t, []apiCase{
		{
			name:   "for a duration",
			token:  deployToken,
			method: "POST",
			path:   "/locks",
			body:   `{"repository":"acme/api","environment":"production","reason":"moving","expires_in":"2h"}`,
			code:   201,
			called: "lock api:0::deployer:false {Repository:acme/api Environment:production Reason:moving " +
				"Until:2026-11-25 14:00:00 +0000 UTC Steal:false}",
		},
		{
			name:   "until a time, stolen",
			token:  behalfToken,
			method: "POST",
			path:   "/locks",
			body: "{" + aliceActor + `,"environment":"production","reason":"moving",` +
				`"expires_at":"2026-11-26T01:00:00+01:00","steal":true}`,
			code: 201,
			called: "lock api:1:alice:behalfer:false {Repository: Environment:production Reason:moving " +
				"Until:2026-11-26 00:00:00 +0000 UTC Steal:true}",
		},
		{
			name:   "with a duration and a time",
			token:  deployToken,
			method: "POST",
			path:   "/locks",
			body:   `{"environment":"p","reason":"m","expires_in":"2h","expires_at":"2026-11-26T01:00:00Z"}`,
			code:   400,
		},
		{
			name:   "for a negative duration",
			token:  deployToken,
			method: "POST",
			path:   "/locks",
			body:   `{"environment":"p","reason":"m","expires_in":"-2h"}`,
			code:   400,
		},
		{
			name:   "repository without owner",
			token:  deployToken,
			method: "POST",
			path:   "/locks",
			body:   `{"repository":"api","environment":"p","reason":"m"}`,
			code:   400,
		},
	})
}

func TestLockCommands(t *testing.T) {
	runAPI(t, []apiCase{
		{
			name:   "extend",
			token:  deployToken,
			method: "POST",
			path:   "/locks/3/extend",
			body:   `{"expires_in":"1h"}`,
			code:   200,
			called: "extend api:0::deployer:false 3 2026-11-25 13:00:00 +0000 UTC",
		},
		{
			name:   "extend without an end",
			token:  deployToken,
			method: "POST",
			path:   "/locks/3/extend",
			body:   `{"never":true}`,
			code:   200,
			called: "extend api:0::deployer:false 3 0001-01-01 00:00:00 +0000 UTC",
		},
		{name: "extend by nothing", token: deployToken, method: "POST", path: "/locks/3/extend", body: `{}`, code: 400},
		{name: "extend by null", token: deployToken, method: "POST", path: "/locks/3/extend", body: `null`, code: 400},
		{name: "extend, no body", token: deployToken, method: "POST", path: "/locks/3/extend", code: 400},
		{
			name:   "extend to an end and without one",
			token:  deployToken,
			method: "POST",
			path:   "/locks/3/extend",
			body:   `{"expires_in":"1h","never":true}`,
			code:   400,
		},
		{
			name:   "hand over",
			token:  deployToken,
			method: "POST",
			path:   "/locks/3/hand-over",
			body:   `{"to":{"id":2,"login":"bob"}}`,
			code:   200,
			called: "hand over api:0::deployer:false 3 bob",
		},
		{
			name:   "hand over to nobody",
			token:  deployToken,
			method: "POST",
			path:   "/locks/3/hand-over",
			body:   `{}`,
			code:   400,
		},
		{
			name:   "hand over to a login that nobody can have",
			token:  deployToken,
			method: "POST",
			path:   "/locks/3/hand-over",
			body:   `{"to":{"id":2,"login":"bob\nthe CTO, says: all clear"}}`,
			code:   400,
		},
		{
			name:   "release",
			token:  deployToken,
			method: "DELETE",
			path:   "/locks/3",
			code:   204,
			called: "release api:0::deployer:false 3",
		},
		{
			name:   "release for a person",
			token:  behalfToken,
			method: "DELETE",
			path:   "/locks/3",
			body:   "{" + aliceActor + "}",
			code:   204,
			called: "release api:1:alice:behalfer:false 3",
		},
		{
			name:   "release for a person by POST",
			token:  behalfToken,
			method: "POST",
			path:   "/locks/3/release",
			body:   "{" + aliceActor + "}",
			code:   204,
			called: "release api:1:alice:behalfer:false 3",
		},
		{
			name:   "release what is not a number",
			token:  deployToken,
			method: "DELETE",
			path:   "/locks/x",
			code:   204,
			called: "release api:0::deployer:false 0",
		},
	})
}

func TestLockReads(t *testing.T) {
	runAPI(t, []apiCase{
		{name: "list", token: readToken, method: "GET", path: "/locks", code: 200, called: "locks"},
		{name: "list with a filter", token: readToken, method: "GET", path: "/locks?repository=acme/api", code: 400},
		{name: "notices with a misspelt query", token: readToken, method: "GET", path: "/notices?afer=7", code: 400},
		{name: "one", token: readToken, method: "GET", path: "/locks/3", code: 200, called: "lock 3"},
		{name: "notices", token: readToken, method: "GET", path: "/notices", code: 200, called: "notices 0 200"},
		{
			name:   "notices after one",
			token:  readToken,
			method: "GET",
			path:   "/notices?after=7",
			code:   200,
			called: "notices 7 200",
		},
		{name: "notices after a word", token: readToken, method: "GET", path: "/notices?after=x", code: 400},
		{name: "notices after less than 0", token: readToken, method: "GET", path: "/notices?after=-1", code: 400},
	})
}
