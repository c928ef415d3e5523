"""The results of a revision: fetched by their content, validated and judged."""
