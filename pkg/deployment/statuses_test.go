package deployment

import "testing"

func TestUnknownStatuses_UnexplainedOnly(t *testing.T) {
	tried := Report{State: GitHubQueued, Description: "d", Status: ReportUnknown, Tries: 1}
	sent := Report{State: GitHubInProgress, Status: ReportSent, StatusID: 5, Tries: 1}
	statuses := []Status{
		{ID: 4, State: GitHubQueued, Description: "d"},
		{ID: 5, State: GitHubInProgress},
		{ID: 6, State: GitHubSuccess},
	}

	got := UnknownStatuses(statuses, []Report{tried, sent})
	if len(got) != 1 || got[0].ID != 6 {
		t.Errorf("got %+v, want status 6 only", got)
	}
}
