"""The report: one self-contained HTML page that shows a whole run, with every picture's source named."""
