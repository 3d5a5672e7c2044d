package grammar

var (
	production = Environment{Name: "production", Production: true}
	staging    = Environment{Name: "staging"}

	// names are the apps of all tests.
	names = Names{Apps: []App{
		{Name: "api", Repository: "acme/api", Environments: []Environment{production, staging}},
		{Name: "web", Repository: "acme/web", Environments: []Environment{production, staging, {Name: "qa"}}},
		{Name: "worker", Repository: "acme/worker", Environments: []Environment{production}},
		{Name: "acme", Repository: "other/tools", Environments: []Environment{production, staging}},
		{Name: "site", Repository: "acme/site", Environments: []Environment{production, {Name: "review-*"}}},
		{Name: "shop", Repository: "acme/shop", Environments: []Environment{production, {Name: "*"}}},
		{Name: "eu", Repository: "acme/eu", Environments: []Environment{
			{Name: "Production EU", Production: true},
			{Name: "Production", Production: true},
			staging,
		}},
		{Name: "front", Repository: "acme/mono", Environments: []Environment{{Name: "front-staging"}}},
		{Name: "back", Repository: "acme/mono", Environments: []Environment{{Name: "back-staging"}}},
		{Repository: "acme/unnamed", Environments: []Environment{staging}},
		{Repository: "labs/*", Environments: []Environment{staging}},
		{Repository: "labs/*", Environments: []Environment{production}},
		{Repository: "labs/known", Environments: []Environment{{Name: "qa"}}},
	}}
)
