package observers

// shutdown reads the shutdown switch. A cancelled shutdown leaves the machine running.
func shutdown(policy Policy, snapshot Snapshot) Reading {
	return operation(policy, snapshot[logind], "PreparingForShutdown", "running", "ending")
}
