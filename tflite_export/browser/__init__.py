"""Recognition in a browser: a static page with a model, LiteRT.js and its own JavaScript."""
