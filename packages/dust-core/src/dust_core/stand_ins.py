"""How files begin that stand in the place of others: pointers to stored files, and web pages."""

GIT_LFS = rb"version https://git-lfs"
DVC = rb"(?:\xef\xbb\xbf)?(?:wdir: .*\n)?outs:\s"
WEB_PAGE = rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)"
