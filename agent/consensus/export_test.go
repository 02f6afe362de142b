package consensus

// Raft's names in the stable store.
var (
	KeyTerm     = keyTerm
	KeyVoteTerm = keyVoteTerm
)

// Judge says why a request is not for raft, where snapshots may have so many bytes.
func Judge(most int64, command any) error { return (&Transport{most: most}).judge(command) }
