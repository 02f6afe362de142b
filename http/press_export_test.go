package httpd

// Pressed are the lines that are kept as followers are told them, by the seq of their event.
func (s *Server) Pressed() map[uint64]string {
	kept := map[uint64]string{}
	for i := range s.press.slots {
		if e := s.press.slots[i].Load(); e != nil {
			kept[e.place.Seq] = e.line
		}
	}
	return kept
}
