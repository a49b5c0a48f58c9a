"""Our estimators by default beside linear models, mixtures and the raw columns, on real tables."""
