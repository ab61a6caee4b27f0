package observers

// shutdown reads the shutdown switch. One that is cancelled leaves the machine running.
func shutdown(policy Policy, snapshot Snapshot) Reading {
	return operation(policy, snapshot[logind], "PreparingForShutdown", "running", "ending")
}
