"""Everything that is shown: an audit as a page, figures, tables and a summary; a comparison as a page and Markdown.

Imports run one way: ``text`` and `view`; ``tables``; ``figures``; `blocks`, ``sections``; `summary`, `markdown`, `html`;
`write`. An audit or a comparison is all they need. Only ``figures`` imports matplotlib and only `html` imports jinja2.
"""
