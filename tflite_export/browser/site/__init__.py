"""The page's own files: JavaScript modules that a browser reads as they are, without a build."""
