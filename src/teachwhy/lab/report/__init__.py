"""The report: tables, a word per arm, what cannot be ruled out, and transcripts to read, in one page."""

from teachwhy.lab.report.conclusion import WORDS, Conclusion, conclude
from teachwhy.lab.report.page import write_report
from teachwhy.lab.report.persistence import Persistence, describe_persistence
from teachwhy.lab.report.sheets import Table
from teachwhy.lab.report.summary import print_summary
from teachwhy.lab.report.table import make_table

__all__ = [
    "WORDS",
    "Conclusion",
    "Persistence",
    "Table",
    "conclude",
    "describe_persistence",
    "make_table",
    "print_summary",
    "write_report",
]
