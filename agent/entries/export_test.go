package entries

// MaxProposals is how many may wait at once.
const MaxProposals = maxProposals

// Close is Run's last step.
func (b *Batch) Close() { b.close() }

// Count is how many commands it has.
func (p *Proposal) Count() int { return p.count }

// Frames are those.
func (p *Proposal) Frames() []byte { return p.frames }
