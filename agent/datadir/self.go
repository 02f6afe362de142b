package datadir

// self is what a data directory says of its peer.
type self struct {
	ID    string `json:"id"`    // ULID, born with the directory
	Name  string `json:"group"` // the -group it was made for
	Group string `json:"group_id,omitempty"`
	Left  bool   `json:"left,omitempty"` // the peer has left its group for good
}

// ID is the peer's.
func (d *Dir) ID() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.self.ID
}

// Group is the id of the group as an earlier process knew it, empty when it knew none.
func (d *Dir) Group() string {
	if d == nil {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.self.Group
}

// HasLeft says whether the peer has left its group for good.
func (d *Dir) HasLeft() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.self.Left
}

// Left keeps that the peer has left its group.
func (d *Dir) Left() error {
	if d == nil {
		return nil
	}
	return d.change(func(s *self) { s.Left = true })
}

// Joined keeps the id of the group once it is known.
func (d *Dir) Joined(group string) error {
	if d == nil || d.Group() == group {
		return nil
	}
	return d.change(func(s *self) { s.Group = group })
}

// Recovered keeps that another group was made of the peer's, whether or not it had left that.
func (d *Dir) Recovered(group string) error {
	return d.change(func(s *self) { s.Group, s.Left = group, false })
}

// change writes what the directory says of its peer, on disk first.
func (d *Dir) change(to func(*self)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.self
	to(&next)
	if err := d.Write(FileSelf, next); err != nil {
		return err
	}
	d.self = next
	return nil
}
