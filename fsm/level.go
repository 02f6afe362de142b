package fsm

// The group's feature level (Meta.Feature) is raised once every server has announced a higher one. Until then peers of an
// earlier release read all that is written. So what a release adds waits for its level: a proposer fills a new field, a new
// word is remembered, and Apply does anything else than before only from that level on.
const (
	// FeatureLevel is the highest that this release understands.
	FeatureLevel = 2

	// BirthLevel is that of a new group, some founders of which may be of the first release.
	BirthLevel = 1
)

// Admit refuses a batch of frames that a group at a feature level may not have in its log.
func Admit(frames []byte, level uint32) *Error {
	for len(frames) > 0 {
		f, rest, err := cutFrame(frames)
		if err != nil {
			return Errorf(CodeInvalid, "%s", err)
		}
		if needs := f.kind.levels[f.version-1]; needs > level {
			return Errorf(CodeConflict, "%s of version %d needs feature level %d, the group is at %d: upgrade all its peers first",
				f.kind.name, f.version, needs, level)
		}
		frames = rest
	}
	return nil
}
