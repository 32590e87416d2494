"""Reading one aggregate: its rows page by page, without holes."""
