"""What is measured: an Inspect task a folder. Sees neither what is trained nor how."""
