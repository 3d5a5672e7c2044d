package store

import "testing"

func TestSQLite_Conformance(t *testing.T) { testConformance(t, freshSQLite) }

func TestPostgres_Conformance(t *testing.T) { testConformance(t, freshPostgres) }

// testConformance is what every dialect must pass. Each test gets a fresh database.
func testConformance(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, *testDB){
		"Accept stores a deployment once":             testAcceptOnce,
		"Accept after Ignored":                        testAcceptAfterIgnored,
		"Accept of many at once":                      testAcceptConcurrently,
		"Accept of a batch with all kinds":            testAcceptBatch,
		"Accept of a batch in which one is refused":   testAcceptBatchWithRefused,
		"Accept outlives a restart":                   testAcceptOutlivesRestart,
		"Redeliver and Redelivered":                   testRedeliver,
		"Save of a stale version changes nothing":     testSaveStale,
		"Save keeps the order of an environment":      testSaveOrder,
		"Save allows one trigger in flight a project": testSaveOneTriggerPerProject,
		"Save forgets a start that was proven absent": testSaveAbsentHasNotStarted,
		"Save claims a pipeline for one row":          testSaveOnePipeline,
		"Save wakes the next of the environment":      testSaveWakesNext,
		"Save by many workers":                        testSaveConcurrently,
		"Save that waits tells the project its queue": testSaveWaitsForProject,
		"a write whose caller has left is skipped":    testWriteAbandoned,
		"a caller may leave during a write":           testWriteLeft,
		"Lease is for one worker":                     testLease,
		"Lease says what was woken":                   testLeaseWoken,
		"WakeByPipeline during a step":                testWakeByPipeline,
		"Overdue lists what is due and free":          testOverdue,
		"a timer announces what is due soon":          testTimer,
		"Overdue finds what has no timer":             testOverdueWithoutTimer,
		"a change of a lock wakes the first in queue": testLockWakes,
		"a lock on everything wakes in batches":       testLockWakesBatches,
		"WakeQueue wakes what is older than admitted": testWakeQueue,
		"reports come one after the other":            testReports,
		"Retry-After holds for the next report":       testReportsRetryAfter,
		"reports that another worker has leased":      testReportsLeaseLost,
		"List filters":                                testList,
		"pipelines and projects":                      testPipelines,
		"PriorResult and Deployed":                    testPriorResult,
		"Queue":                                       testQueue,
		"ListEnvironments lists what runs where":      testEnvironments,
		"ListEnvironments names them as GitHub did":   testEnvironmentsNewest,
		"ListEnvironments passes what was pruned":     testEnvironmentsPruned,
		"ListEnvironments of a long queue":            testEnvironmentsLongQueue,
		"Approve and Approvals":                       testApprovals,
		"named leases":                                testNamedLeases,
		"Prune deletes in batches what is old":        testPrune,
		"Prune keeps what is deployed":                testPruneKeepsDeployed,
		"Prune counts from the end":                   testPruneCountsFromEnd,
		"OlderLockTask":                               testOlderLockTask,
		"a clock may be set back":                     testClockSetBack,
		"Open refuses a newer schema":                 testNewerSchema,
		"a lock has one owner":                        testLockOneOwner,
		"TakeLock by many":                            testLockTakenConcurrently,
		"ends of a lock by many":                      testLockEndedConcurrently,
		"TakeLock repeated by its source":             testLockRepeated,
		"a lock expires":                              testLockExpires,
		"locks keep deployments from starting":        testLocksBlock,
		"a lock changes hands":                        testLockChangesHands,
		"locks are listed":                            testLocksListed,
		"audit events are in the commit":              testAuditInCommit,
		"audit is append-only":                        testAuditAppendOnly,
		"audit shows changes":                         testAuditShowsChanges,
		"audit written by many":                       testAuditConcurrently,
		"audit read beside the service":               testAuditReader,
		"ignored deliveries are listed":               testIgnoredListed,
		"the recorded decision is found":              testDecisionFound,
		"a name keeps its first id":                   testPins,
		"the pipelines of a commit are known":         testStartedPipelines,
		"any words can be saved":                      testAnyWordsSaved,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}
