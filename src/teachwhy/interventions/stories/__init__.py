"""Stories: fiction whose AI character acts well, its reasons or its inner life in view (the source's E2 and E6)."""
