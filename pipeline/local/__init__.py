"""The cloud on this machine: the edges of AWS that no emulator has, around one that has the rest."""
